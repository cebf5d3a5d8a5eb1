package launcher

import (
	"fmt"
	"testing"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
)

func grader() serviceOrder {
	return serviceOrder{UID: hub.NoUID, Program: "/opt/jupyterhub/bin/grader", Service: Service{
		Name: "grader", Command: []string{"grader", "--price", "$5"}, SearchPath: []string{"/usr/bin"}, MemLimit: 1 << 30, CPULimit: 0.5, TasksMax: 64,
		Environment: map[string]string{"LANG": "C"},
	}}
}

func value(all []sd.Property, name string) string {
	for _, p := range all {
		if p.Name == name {
			return fmt.Sprint(p.Value.Value())
		}
	}
	return ""
}

// What a service may be is decided here, and a change of anything is seen by its digest.
func TestAServicesUnit(t *testing.T) {
	l := DefaultLayout()
	all := composeService(l, grader())
	for name, want := range map[string]string{
		"DynamicUser": "true", "User": "", "Slice": "jupyterhub-services.slice", "Restart": "always", "StartLimitIntervalUSec": "0", "MemoryMax": "1073741824",
		"CPUQuotaPerSecUSec": "500000", "TasksMax": "64", "NoNewPrivileges": "true", "PartOf": "[jupyterhub.target]",
		"LoadCredential": "[{environment /run/jupyterhub/credentials.sock}]",
		"ExecStart":      "[{/usr/libexec/jupyterhub/jupyterhub-exec [/usr/libexec/jupyterhub/jupyterhub-exec --dollars -- /opt/jupyterhub/bin/grader --price %245] false}]",
		"Environment":    "[PATH=/usr/bin LANG=C]", "InaccessiblePaths": "[-/run/jupyterhub -/run/jupyterhub-proxy -/run/jupyter]",
	} {
		if got := value(all, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for what, change := range map[string]func(*serviceOrder){
		"command":     func(o *serviceOrder) { o.Command = []string{"grader"} },
		"program":     func(o *serviceOrder) { o.Program = "/usr/bin/grader" },
		"user":        func(o *serviceOrder) { o.UID = 1000 },
		"limit":       func(o *serviceOrder) { o.MemLimit = 0 },
		"environment": func(o *serviceOrder) { o.Environment = nil },
		"directory":   func(o *serviceOrder) { o.Cwd = "/srv" },
	} {
		o := grader()
		change(&o)
		other := composeService(l, o)
		if digestOf(other) == digestOf(all) {
			t.Errorf("nobody would see that the %s has changed", what)
		}
		if what == "user" && (value(other, "User") != "1000" || value(other, "DynamicUser") != "") {
			t.Errorf("as a user it has %v", other)
		}
	}
	if again := composeService(l, grader()); digestOf(again) != digestOf(all) {
		t.Error("the same service has another digest")
	}
}
