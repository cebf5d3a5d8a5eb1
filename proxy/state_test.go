package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A change is in the file when it is answered: a proxy that starts on the same file, as after kill -9, knows the table with
// its times.
func TestTheTableSurvives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	clock := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	o := Options{StateFile: file, Now: func() time.Time { return clock }, DefaultTarget: "http://127.0.0.1:1"}
	s := newStage(t, o)
	up, target := unixServer(t, hello)
	s.route("/user/jo@ex.org/%C3%BC%5C", target, fmt.Sprintf(`"user": "jo@ex.org", "uid": %d, "x": 1e3`, os.Getuid()))
	s.route("/gone", "http://h", "")
	s.call("DELETE", "/api/routes/gone", "")
	before := s.call("GET", "/api/routes", "").body

	clock = clock.Add(time.Hour)
	again := newStage(t, o)
	for key, r := range again.routes() {
		if key != "/" && !strings.Contains(before, fmt.Sprint(r["target"])) {
			t.Errorf("%s was not there before", key)
		}
	}
	got := again.call("GET", "/api/routes/user/jo@ex.org/%C3%BC%5C", "").body
	if !strings.Contains(before, got) || !strings.Contains(got, "2026-01-01T12:00:00.000Z") || !strings.Contains(got, "1e3") {
		t.Errorf("the route was\n%s\nand is\n%s", before, got)
	}
	if again.get("/user/jo%40ex.org/%c3%bc%5c/x"); up.head(t)[0] != "GET /user/jo@ex.org/%C3%BC%5C/x HTTP/1.1" {
		t.Error("the route leads elsewhere")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); err != nil || len(left) != 2 { // the file and its journal
		t.Errorf("left behind: %v", left)
	}
}

// The default target of the command line is not what the hub said: it is not kept, and gives way to what the hub says.
func TestTheDefaultTargetIsNotKept(t *testing.T) {
	o := Options{StateFile: filepath.Join(t.TempDir(), "routes.json"), DefaultTarget: "http://127.0.0.1:1"}
	s := newStage(t, o)
	s.route("/x", "http://h", "")
	o.DefaultTarget = "http://127.0.0.1:2"
	if got := fmt.Sprint(newStage(t, o).routes()["/"]); got != "map[target:http://127.0.0.1:2]" {
		t.Errorf("the root is %s", got)
	}
	s.route("/", "http://127.0.0.1:3", `"hub": true`)
	if got := fmt.Sprint(newStage(t, o).routes()["/"]); got != "map[hub:true target:http://127.0.0.1:3]" {
		t.Errorf("the root is %s", got)
	}
}

// A damaged file costs the table and nothing else: it is told, put aside, and the hub fills the table again.
func TestDamagedFilesAreToldAndPutAside(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "half": `{"version":1,"routes":[{"path":"/user/al`, "future": `{"version":99}`, "zeros": "\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "routes.json")
			write(t, file, []byte(content))
			var told bytes.Buffer
			s := newStage(t, Options{StateFile: file, Log: zerolog.New(&told)})
			if len(s.routes()) != 0 || !strings.Contains(told.String(), "damaged") {
				t.Errorf("routes %v, told %q", s.routes(), told.String())
			}
			if aside, err := os.ReadFile(file + ".damaged"); err != nil || string(aside) != content {
				t.Errorf("%q, %v", aside, err)
			}
			s.route("/x", "http://h", "")
			if len(newStage(t, Options{StateFile: file}).routes()) != 1 {
				t.Error("the file is not written again")
			}
		})
	}
}

// A file that cannot be written is told, and routing goes on.
func TestRoutingGoesOnWithoutADisk(t *testing.T) {
	var told bytes.Buffer
	s := newStage(t, Options{StateFile: "/nonexistent/routes.json", Log: zerolog.New(&told)})
	up := newServer(t, hello)
	s.alice(up.URL)
	if got := s.get("/user/alice/"); got.status != 200 || !strings.Contains(told.String(), "not on disk") {
		t.Errorf("%d, told %q", got.status, told.String())
	}
}

// Changes that come together are written together, and each is there when its own save returns.
func TestSavesComeTogether(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.json")
	p, err := New(Options{StateFile: file})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			path := fmt.Sprintf("/user/u%d", i)
			if err := p.Add(path, routeData(t, `{"target": "http://h"}`)); err != nil {
				t.Error(err)
			}
			if err := p.ledger.save(); err != nil {
				t.Error(err)
			}
			b, err := os.ReadFile(file)
			lines, _ := os.ReadFile(file + journalSuffix) // none yet, perhaps
			var s state
			if err != nil || json.Unmarshal(b, &s) != nil || !strings.Contains(string(b)+string(lines), `"`+path+`"`) {
				t.Errorf("%s is not in the file", path)
			}
		})
	}
	all.Wait()
}
