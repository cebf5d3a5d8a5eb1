package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"jupyterhubd/proxy"
)

// Attack: a path or an upstream's word with a line's end in it, to write a line of its own into the log. Verified: each event is one line.
func TestNobodyWritesLines(t *testing.T) {
	var good, bad strings.Builder
	log := newChpLog(&good, &bad, "debug")
	log.Info().Int("status", 201).Str("method", "POST").Str("path", "/x\n2026 [ConfigProxy] info: forged").Err(errors.New("a\r\nb\x1b[31m")).Msg(proxy.CallMessage)
	log.Error().Int("status", 503).Str("method", "GET").Str("path", "/x").Msg(proxy.FailedMessage)
	if strings.Count(good.String(), "\n") != 1 || strings.ContainsAny(good.String(), "\r\x1b") || !strings.Contains(good.String(), "[ConfigProxy] info: 201 POST /x ") {
		t.Errorf("%q", good.String())
	}
	if !strings.HasSuffix(bad.String(), "[ConfigProxy] error: 503 GET /x\n") {
		t.Errorf("%q", bad.String())
	}
}

// What the command line says beside configurable-http-proxy's options reaches the proxy.
func TestSilenceIsSaid(t *testing.T) {
	l, err := readLine([]string{"--websocket-silence=90000", "--ignore-control-frames", "--ignore-polls"})
	if err != nil {
		t.Fatal(err)
	}
	settings, err := l.settings()
	if err != nil || settings.Silence != 90*time.Second || !l.ignoreControl {
		t.Errorf("%+v, %v", settings, err)
	}
	for what, args := range map[bool][]string{false: {"--ignore-polls", "--ignore-control-frames"}, true: nil} {
		l, err := readLine(args)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := l.proxyOptions(zerolog.Nop()); err != nil || o.CountPolls != what || o.CountControlFrames != what {
			t.Errorf("%q: polls count: %t, control frames: %t, %v", args, o.CountPolls, o.CountControlFrames, err)
		}
	}
}
