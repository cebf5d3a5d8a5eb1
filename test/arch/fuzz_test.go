package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reached are the parsers that strangers reach: who a stranger is there, and the target that feeds it rubbish.
var reached = []struct{ room, target, stranger string }{
	{"hub/varlink", "FuzzDecode", "a hub that was taken over, at root's doors"},
	{"hub/varlink", "FuzzMessages", "a hub that was taken over, at root's doors"},
	{"systemdspawner/launcher", "FuzzStart", "a hub that was taken over, at root's doors"},
	{"hub/credential", "FuzzDecode", "a hub that was taken over, in a user's unit"},
	{"hub/auth", "FuzzCookies", "a browser, and whoever sets cookies in it"},
	{"proxy", "FuzzCookies", "a browser, and whoever sets cookies in it"},
	{"proxy", "FuzzSetCookie", "a user's server"},
	{"proxy", "FuzzTokens", "whoever shows a token"},
	{"hub/auth", "FuzzNext", "who makes a link to the login page"},
	{"hub/auth", "FuzzForwarded", "a browser behind somebody's proxy"},
	{"proxy", "FuzzForwarded", "a browser behind somebody's proxy"},
	{"proxy", "FuzzPath", "a browser"},
	{"proxy/strict", "FuzzAgreesWithNetHTTP", "whoever connects"},
	{"proxy/strict", "FuzzFramesBegin", "whoever connects"},
	{"hub/auth", "FuzzBearer", "whoever connects"},
	{"hub/api", "FuzzRoutes", "whoever connects, with any token or none"},
	{"hub/api", "FuzzBody", "whoever has a token"},
	{"hub", "FuzzUnitName", "who names a server"},
	{"hub", "FuzzUnitTemplate", "an admin who migrates, and who names a server"},
	{"hub/spawner", "FuzzParseAddress", "who binds an address and connects"},
	{"hub/spawner", "FuzzParseKernels", "a user's server"},
	{"hub/account", "FuzzClean", "who types a name at the login page"},
	{"hub/account", "FuzzGuests", "who types a guest's name at the login page"},
	{"hub/account", "FuzzPasswd", "whoever answers for the name service"},
	{"hub/config", "FuzzLoad", "an admin in a hurry"},
	{"hub/config", "FuzzScan", "an admin in a hurry"},
}

// targets lists the fuzz targets by room and name.
func targets(t *testing.T) map[string]map[string]source {
	t.Helper()
	_, files := parse(t)
	all := make(map[string]map[string]source)
	for _, s := range files {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !s.test || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			if all[s.room] == nil {
				all[s.room] = make(map[string]source)
			}
			all[s.room][f.Name.Name] = s
		}
	}
	return all
}

func TestWhatStrangersReachIsFuzzed(t *testing.T) {
	all := targets(t)
	for _, r := range reached {
		if _, there := all[r.room][r.target]; !there {
			t.Errorf("%s has no %s, and its input comes from %s", r.room, r.target, r.stranger)
		}
	}
}

// Every target keeps a corpus: what was found once is tried for ever, by plain go test too.
func TestFuzzTargetsKeepTheirCorpus(t *testing.T) {
	dirs := make(map[string]string)
	for room, p := range house(t) {
		dirs[room] = p.Dir
	}
	for room, names := range targets(t) {
		for name := range names {
			corpus, err := os.ReadDir(filepath.Join(dirs[room], "testdata", "fuzz", name))
			if err != nil || len(corpus) == 0 {
				t.Errorf("%s: %s has no corpus: put inputs worth keeping into testdata/fuzz/%s (%v)", room, name, name, err)
			}
		}
	}
}
