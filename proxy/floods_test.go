package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
)

// Vulnerability: a frame of HTTP/2 that says nothing is work all the same, and an answer to some (CVE-2019-9512, 9513, 9514, 9515, 9518).
// Attack: Mallory sends them without a pause, and reads what is answered.
// Verified: her connection ends long before it has cost anything, and Alice is served.
func TestFloodsOfNothing(t *testing.T) {
	const most = 40_000
	s, config, _, _ := hostile(t, Bounds{})
	begin := func(f *framed, id uint32) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block, EndHeaders: true})
	}
	for name, send := range map[string]func(f *framed, n uint32) error{
		"pings":           func(f *framed, n uint32) error { return f.WritePing(false, [8]byte{}) },
		"answers to none": func(f *framed, n uint32) error { return f.WritePing(true, [8]byte{}) },
		"settings":        func(f *framed, n uint32) error { return f.WriteSettings() },
		"settings that change": func(f *framed, n uint32) error {
			return f.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: n % 4096})
		},
		"priorities": func(f *framed, n uint32) error {
			return f.WritePriority(1+2*(n%1000), http2.PriorityParam{StreamDep: 1 + 2*((n+7)%1000), Weight: 9})
		},
		"windows": func(f *framed, n uint32) error { return f.WriteWindowUpdate(0, 1) },
		"unknown": func(f *framed, n uint32) error { return f.WriteRawFrame(0xbb, 0, 0, nil) },
		"no data": func(f *framed, n uint32) error {
			if n == 0 {
				return begin(f, 1)
			}
			return f.WriteData(1, false, nil)
		},
		"padding": func(f *framed, n uint32) error {
			if n == 0 {
				return begin(f, 1)
			}
			return f.WriteDataPadded(1, false, nil, make([]byte, 9))
		},
		"no fields": func(f *framed, n uint32) error {
			if n == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block})
			}
			return f.WriteContinuation(1, false, nil)
		},
		"windows by the byte": func(f *framed, n uint32) error {
			if n == 0 {
				return begin(f, 1)
			}
			return f.WriteWindowUpdate(1, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := s.frames(config)
			var err error
			n := uint32(0)
			for ; n < most && err == nil; n++ {
				err = send(f, n)
			}
			if n == most {
				t.Errorf("%d are taken", n)
			}
			if err := <-f.ended; errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("she may go on")
			}
		})
	}
	s.servesAlice(config)
	eventually(t, "nothing is left", func() bool { return s.p.table.get("/user/mallory").load.requests.Load() == 0 })
}

// Vulnerability: a stream that the server itself has to reset frees its place, while what it began goes on (CVE-2025-8671).
// Attack: Mallory begins requests and breaks the rules on each of them, thousands of times.
// Verified: no more of hers are under way than a connection may have, Alice is served, and nothing is left.
func TestStreamsThatHaveToBeReset(t *testing.T) {
	s, config, under, worst := hostile(t, Bounds{UserRate: 1_000_000})
	f := s.frames(config)
	var err error
	for id := uint32(1); id < 10_000 && err == nil; id += 2 {
		err = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block, EndStream: true, EndHeaders: true})
		if err == nil {
			err = f.WriteRawFrame(http2.FrameWindowUpdate, 0, id, make([]byte, 4)) // by nothing, which is against the rules
		}
	}
	f.conn.Close()
	s.servesAlice(config)
	if n := worst.Load(); n > 128 {
		t.Errorf("%d were under way", n)
	}
	eventually(t, "nothing is left", func() bool {
		return under.Load() == 0 && s.p.table.get("/user/mallory").load.requests.Load() == 0
	})
}

// Vulnerability: fields without a name or a value take memory, and none of the size that is counted (CVE-2019-9516).
// Attack: Mallory sends a head of nothing but these, of which the second kind is a byte each: the one that came last, again.
// Verified: it is refused, and Alice is served.
func TestFieldsOfNothing(t *testing.T) {
	const most, noName, again = 15 << 10, "\x00\x00\x00", "\xbe"
	for name, more := range map[string]string{
		"no name":  strings.Repeat(noName, most/len(noName)),
		"no value": "\x40\x01x\x00" + strings.Repeat(again, most),
	} {
		t.Run(name, func(t *testing.T) {
			s, config, under, _ := hostile(t, Bounds{})
			f := s.frames(config)
			block := append(bytes.Clone(f.block), more...)
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true, EndHeaders: true}); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is refused", func() bool { return f.given.Load()+f.told.Load() > 0 })
			if under.Load() > 0 {
				t.Error("it is passed on")
			}
			s.servesAlice(config)
		})
	}
}

// Vulnerability: what a client does not take stays with the proxy, for every stream (CVE-2019-9511, 9517).
// Attack: Mallory asks for large answers over many streams and takes none: she allows no data, or allows all of it and does not read.
// Verified: no more is held than is set for slow clients, she loses the other streams, and Alice is served.
func TestAnswersThatNobodyTakes(t *testing.T) {
	const budget, many = 2 << 20, 60
	for name, window := range map[string]uint32{"no window": 0, "a byte": 1, "all of it": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			s, config, _, _ := hostile(t, Bounds{Memory: budget})
			var asked atomic.Int64
			large := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				io.CopyN(w, endless{}, 32<<20)
			})
			s.route("/user/mallory", large.URL, `"user": "mallory"`)
			f := s.frames(config, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
			if window > 1 {
				f.WriteWindowUpdate(0, 1<<30)
				f.stop() // from here on nothing is read
			}
			for id := uint32(1); id < 2*many; id += 2 {
				if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block, EndStream: true, EndHeaders: true}); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "all are asked for", func() bool { return asked.Load() == many })
			const fit = budget / 2 / bodyCost
			eventually(t, "those that do not fit are given up", func() bool {
				return s.p.table.get("/user/mallory").load.requests.Load() <= fit
			})
			if n := heldOf(&s.p.memory.passing); n > budget/2 {
				t.Errorf("%d bytes are held", n)
			}
			s.servesAlice(config)
			f.conn.NetConn().Close()
			eventually(t, "nothing is held", func() bool { return heldOf(&s.p.memory.passing) == 0 })
		})
	}
}

// endless is a body of nothing in particular.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Vulnerability: of each body that comes over HTTP/2 a window may wait in the proxy, for a server that does not read it.
// Attack: Mallory's own server reads nothing, and she sends it bodies, some over each of several connections.
// Verified: as above.
func TestBodiesThatNobodyReads(t *testing.T) {
	const budget, connections, each = 8 << 20, 4, 10
	s, config, _, _ := hostile(t, Bounds{Memory: budget})
	for range connections {
		f := s.frames(config)
		for id := uint32(1); id < 2*each; id += 2 {
			err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block, EndHeaders: true})
			if err == nil {
				err = f.WriteData(id, false, make([]byte, 1<<10))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	const fit = budget / 2 / (uploadCost + streamWindow)
	load := s.p.table.get("/user/mallory").load
	dropped := func() string {
		return fmt.Sprintf(`jupyterhub_proxy_refused_total{bound="memory"} %d`, connections*each-fit)
	}
	eventually(t, "those that do not fit are given up", func() bool {
		return load.requests.Load() == fit && bytes.Contains([]byte(s.call("GET", "/metrics", "").body), []byte(dropped()))
	})
	s.servesAlice(config)
}
