package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"jupyterhubd/proxy"
)

// chpLog writes lines as configurable-http-proxy does, to where it does: programs that start it read its standard output.
// What is wrong goes to the standard error.
type chpLog struct{ good, bad io.Writer }

func newChpLog(stdout, stderr io.Writer, level string) zerolog.Logger {
	lines := func(w io.Writer) io.Writer {
		return zerolog.ConsoleWriter{
			Out: w, NoColor: true,
			PartsOrder:          append([]string{zerolog.TimestampFieldName, zerolog.LevelFieldName, zerolog.MessageFieldName}, chpRequest...),
			FieldsExclude:       chpRequest,
			FormatTimestamp:     func(any) string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") },
			FormatLevel:         func(v any) string { return fmt.Sprintf("[ConfigProxy] %v:", v) },
			FormatMessage:       chpMessage,
			FormatFieldName:     func(v any) string { return chpFields[fmt.Sprint(v)] },
			FormatFieldValue:    plainly,
			FormatErrFieldName:  func(any) string { return "" },
			FormatErrFieldValue: plainly,
		}
	}
	at, err := zerolog.ParseLevel(level)
	if err != nil {
		at = zerolog.InfoLevel
	}
	return zerolog.New(chpLog{lines(stdout), lines(stderr)}).Level(at)
}

// chpRequest is what lines about requests consist of, before the reason: "404 GET /user/alice/".
var chpRequest = []string{"status", "method", "path"}

// chpWords are what that program says in other words than we do; of requests it says nothing else.
var chpWords = map[any]string{proxy.CallMessage: "", proxy.FailedMessage: "", "Route removed": "Removing route"}

func chpMessage(v any) string {
	if words, ok := chpWords[v]; ok {
		return words
	}
	return plainly(v)
}

// plainly leaves out the quotes that zerolog puts around a sentence, and keeps it in one line.
func plainly(v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	if inner, err := strconv.Unquote(s); err == nil {
		s = inner
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

// chpFields is what stands before a value in a line. Other values stand there by themselves.
var chpFields = map[string]string{"target": "-> ", "to": "to ", "user": "user=", "server": "server="}

func (l chpLog) Write(line []byte) (int, error) { return l.good.Write(line) }

// WriteLevel makes it a zerolog.LevelWriter.
func (l chpLog) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if level >= zerolog.ErrorLevel {
		return l.bad.Write(line)
	}
	return l.good.Write(line)
}
