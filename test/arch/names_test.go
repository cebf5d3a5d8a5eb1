package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// namers are who may make the name of a server's unit: root's side, what stands in for it, and what reads root's file as it does. The
// hub is told names, so that what it believes of a unit is what root's side made, by whatever template.
var namers = []string{"hub", "hub/config", "systemdspawner/launcher", "systemdspawner/localprocess", "cmd/jupyterhub", "cmd/jupyterhub-spawnd"}

func TestTheHubMakesNoNamesOfUnits(t *testing.T) {
	_, files := parse(t)
	found := false
	for _, s := range files {
		if s.test || strings.HasPrefix(s.room, "test/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !slices.Contains([]string{"hub.UnitName", "hub.ParseUnitTemplate"}, callee(call)) {
				return true
			}
			found = true
			if !slices.Contains(namers, s.room) {
				t.Errorf("%s: %s makes a name of a unit; the Spawner tells it", s.room, callee(call))
			}
			return true
		})
	}
	if !found {
		t.Error("nobody makes names of units any more; this law is about nothing")
	}
}
