package account

import (
	"reflect"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

func TestParsePasswd(t *testing.T) {
	got, err := parsePasswd("alice:x:1000:100:Alice \u202eS,,,:/home/alice:/bin/bash\n")
	want := hub.Account{Name: "alice", UID: 1000, GID: 100, Gecos: "Alice S,,,", Home: "/home/alice", Shell: "/bin/bash"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestParsePasswdRefusesAnythingElse(t *testing.T) {
	for _, text := range []string{"", "\n", "alice:x:1000:100:A:/home/alice:/bin/bash", // no end of line: cut off
		"alice:x:1000:100:A:/h:/s\nbob:x:1001:100:B:/h:/s\n", "alice:x:1000:100:A:/h\n", "alice:x:1000:100:A:/h:/s:t\n",
		":x:1000:100:A:/h:/s\n", "alice:x::100:A:/h:/s\n", "alice:x:-1:100:A:/h:/s\n", "alice:x:4294967295:100:A:/h:/s\n",
		"alice:x:4294967296:100:A:/h:/s\n", "alice:x:0x0:100:A:/h:/s\n", "alice:x:01000:100:A:/h:/s\n", "alice:x:1000:+1:A:/h:/s\n",
		"alice:x:1000:100:A:/h\x00:/s\n", "1000:x:0:0:A:/h:/s\n"} {
		if a, err := parsePasswd(text); err == nil {
			t.Errorf("parsePasswd(%q) = %+v", text, a)
		}
	}
}

func TestParseInitgroups(t *testing.T) {
	got, err := parseInitgroups("we ird", "we ird                27 100 27\n")
	if err != nil || !reflect.DeepEqual(got, []int64{27, 100}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"bob  27\n", "alicex 27\n", "alice 27\nbob 0\n", "alice 27 -1\n", "alice x\n",
		"alice" + strings.Repeat(" 1", maxGroups+1)} {
		if gids, err := parseInitgroups("alice", text); err == nil {
			t.Errorf("parseInitgroups(%.40q) = %v", text, gids)
		}
	}
}

func TestGroupNamesReadsPastMembers(t *testing.T) {
	g := groupNames{names: map[int64]string{}}
	text := "sudo:x:27:alice\nall:x:2000:" + strings.Repeat("student,", 10000) + "\n12:x:2001:\nagain:x:27:\n"
	for len(text) > 0 { // in small pieces, as a pipe may deliver it
		piece := text[:min(7, len(text))]
		text = text[len(piece):]
		if _, err := g.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if want := map[int64]string{27: "sudo", 2000: "all"}; !reflect.DeepEqual(g.names, want) {
		t.Errorf("got %v, want %v", g.names, want)
	}
}

func FuzzPasswd(f *testing.F) {
	f.Add("alice:x:1000:100:Alice:/home/alice:/bin/bash\n")
	f.Add("alice:x:4294967295:100:::\n")
	f.Add("a:b:1:2:c:d:e:f\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parsePasswd(text)
		if err != nil {
			return
		}
		if _, err := Clean(a.Name); err != nil || a.UID < 0 || a.UID >= 1<<32-1 || strings.Contains(a.Home, "\n") {
			t.Fatalf("%q gave %+v", text, a)
		}
	})
}

func FuzzGroups(f *testing.F) {
	f.Add("alice", "alice  27 100\n", "sudo:x:27:alice\n", 3)
	f.Add("a b", "a b 1\n", "x:x:1:\ny:x:1:\n", 1)
	f.Fuzz(func(t *testing.T, name, initgroups, group string, piece int) {
		gids, err := parseInitgroups(name, initgroups)
		if err == nil && len(gids) > maxGroups {
			t.Fatalf("%d groups", len(gids))
		}
		whole, pieces := groupNames{names: map[int64]string{}}, groupNames{names: map[int64]string{}}
		_, wholeErr := whole.Write([]byte(group))
		var piecesErr error
		for rest := group; rest != "" && piecesErr == nil; {
			n := min(max(piece, 1), len(rest))
			_, piecesErr = pieces.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if (wholeErr == nil) != (piecesErr == nil) || !reflect.DeepEqual(whole.names, pieces.names) {
			t.Fatalf("in one piece %v %v, in several %v %v", whole.names, wholeErr, pieces.names, piecesErr)
		}
	})
}

func TestUIDMin(t *testing.T) {
	for text, want := range map[string]int64{"": 1000, "UID_MIN 500\n": 500, "#UID_MIN 5\nUID_MIN\t\t 2000 # people\n": 2000,
		"UID_MIN 0\n": 1000, "UID_MIN -5\n": 1000, "UID_MIN ten\n": 1000, "SYS_UID_MIN 100\n": 1000, "UID_MIN 0x3e8\nUID_MIN 01750\n": 1000} {
		if got := uidMin(strings.NewReader(text)); got != want {
			t.Errorf("uidMin(%q) = %d, want %d", text, got, want)
		}
	}
}
