package varlink

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"jupyterhubd/hub"
)

// door serves one small interface on a Unix socket and returns a caller.
func door(t *testing.T, s *Service) *Conn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "door")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type word struct {
	Word string `json:"word"`
}

func echo(_ context.Context, r *Request) error {
	var in word
	if err := r.Decode(&in); err != nil {
		return err
	}
	return r.Reply(in)
}

func service(methods map[string]Handler) *Service {
	return &Service{Vendor: "tests", Interfaces: []Interface{{Name: "org.example.Echo", Description: "interface org.example.Echo", Methods: methods}}}
}

func TestACallIsAnsweredOnce(t *testing.T) {
	c := door(t, service(map[string]Handler{"Say": echo}))
	for _, want := range []string{"hello", "", "naïve \x00 byte"} {
		var got word
		if err := c.Call(t.Context(), "org.example.Echo.Say", word{want}, &got); err != nil {
			t.Fatal(err)
		}
		if got.Word != want {
			t.Errorf("got %q, want %q", got.Word, want)
		}
	}
}

func TestAStreamEndsWithItsLastReply(t *testing.T) {
	c := door(t, service(map[string]Handler{"Count": func(_ context.Context, r *Request) error {
		for range 2 {
			if err := r.Continue(word{"again"}); err != nil {
				return err
			}
		}
		return r.Reply(word{"last"})
	}}))
	var got []string
	err := c.Stream(t.Context(), "org.example.Echo.Count", nil, func(b json.RawMessage) error {
		var w word
		got = append(got, string(b))
		return json.Unmarshal(b, &w)
	})
	if err != nil || len(got) != 3 || !strings.Contains(got[2], "last") {
		t.Errorf("stream gave %q, %v", got, err)
	}
	if err := c.Call(t.Context(), "org.example.Echo.Count", nil, nil); hub.KindOf(err) != hub.Invalid {
		t.Errorf("a stream without more: %v", err)
	}
}

func TestARefusalKeepsKindTextAndCauseAndHidesTheRest(t *testing.T) {
	c := door(t, service(map[string]Handler{"Refuse": func(context.Context, *Request) error {
		return &hub.Error{Kind: hub.Conflict, Text: "it runs", Cause: &hub.Cause{Kind: hub.CauseExited}, Err: errors.New("secret detail")}
	}, "Break": func(context.Context, *Request) error { return errors.New("secret detail") }}))
	err := c.Call(t.Context(), "org.example.Echo.Refuse", nil, nil)
	var e *hub.Error
	if !errors.As(err, &e) || e.Kind != hub.Conflict || e.Text != "it runs" || e.Cause == nil || e.Cause.Kind != hub.CauseExited {
		t.Errorf("got %#v", err)
	}
	err = errors.Join(err, c.Call(t.Context(), "org.example.Echo.Break", nil, nil))
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("inner text crossed the door: %v", err)
	}
}

func TestUnknownNamesAreSaidInTheStandardWay(t *testing.T) {
	c := door(t, service(map[string]Handler{"Say": echo}))
	for _, method := range []string{"org.example.Echo.Shout", "org.example.Other.Say", "Say"} {
		if err := c.Call(t.Context(), method, nil, nil); err == nil || !strings.Contains(err.Error(), "org.varlink.service.") {
			t.Errorf("%s: %v", method, err)
		}
	}
	var info struct{ Interfaces []string }
	if err := c.Call(t.Context(), "org.varlink.service.GetInfo", nil, &info); err != nil || len(info.Interfaces) != 2 {
		t.Errorf("GetInfo: %v %v", info, err)
	}
}

func TestTheCallersLeavingEndsTheHandler(t *testing.T) {
	ended := make(chan error, 1)
	begun := make(chan struct{})
	c := door(t, service(map[string]Handler{"Wait": func(ctx context.Context, _ *Request) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel(); c.Close() }()
	if err := c.Call(ctx, "org.example.Echo.Wait", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	<-ended
}

func TestThePeerIsWhoTheKernelSays(t *testing.T) {
	s := service(map[string]Handler{"Say": echo})
	s.Allow = func(c Cred) error {
		if int(c.UID) != os.Getuid() || int(c.PID) != os.Getpid() {
			t.Errorf("peer is %+v", c)
		}
		return hub.Errorf(hub.Forbidden, "not you")
	}
	if err := door(t, s).Call(t.Context(), "org.example.Echo.Say", word{"hi"}, nil); err == nil {
		t.Error("a peer that is not allowed was answered")
	}
}

// Vulnerability: Go takes the later of two equal keys and folds case, other readers take the first. Attack: a message that
// two readers understand differently. Verified: such messages, and those over the limits, are refused.
func TestAmbiguousAndOversizedMessagesAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1)
	for _, m := range []string{
		`{"word":"a","word":"b"}`, `{"word":"a","WORD":"b"}`, `{"word":"a"} {"word":"b"}`, `["word"]`, `"word"`, `{"word":`, ``,
		`{"word":"a","other":1}`, `{"word":1}`, `{"word":[{"x":1,"x":2}]}`, deep,
	} {
		if err := decodeStrict([]byte(m), &word{}); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%.40q: %v", m, err)
		}
	}
	for _, m := range []string{`{"user":"alice","u\u017fer":"root"}`, `{"kind":1,"\u212aind":2}`} {
		if err := checkShape([]byte(m)); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s has one key twice, as encoding/json reads it: %v", m, err)
		}
	}
	long := bufio.NewReader(strings.NewReader(strings.Repeat("x", MaxMessage+2) + "\x00"))
	if _, err := readMessage(long, MaxMessage); hub.KindOf(err) != hub.TooLarge {
		t.Errorf("too long: %v", err)
	}
}

func TestTheInterfaceFilesNameWhatTheyShould(t *testing.T) {
	for name, text := range map[string]string{Spawner: SpawnerInterface, Authenticator: AuthenticatorInterface} {
		if !strings.Contains(text, "\ninterface "+name+"\n") || !strings.Contains(text, "error Refused (") {
			t.Errorf("%s: not the interface file", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"word":"a"}`, `{"method":"a.b","parameters":{"x":[1,{"y":null}]},"more":true}`, `{"a":{"a":{"A":1}}}`, "{}", "\x00", `{"word":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c call
		if err := decodeStrict(b, &c); err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", b, err)
		}
		if err := decodeStrict(again, &call{}); err != nil {
			t.Fatalf("%q was written as %q, which is refused: %v", b, again, err)
		}
	})
}

// What a peer sends is cut into messages at each NUL, and at nothing else, however it arrives.
func FuzzMessages(f *testing.F) {
	f.Add([]byte("{}\x00{\"method\":\"a.b\"}\x00"))
	f.Add([]byte("\x00\x00{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(b)), 16)
		var read []byte
		for {
			message, err := readMessage(r, MaxMessage)
			if err == nil {
				read = append(append(read, message...), 0)
				continue
			}
			whole := bytes.LastIndexByte(b, 0) + 1
			if !bytes.Equal(read, b[:whole]) || errors.Is(err, io.EOF) != (whole == len(b)) {
				t.Fatalf("of %q was read %q, and then %v", b, read, err)
			}
			return
		}
	})
}
