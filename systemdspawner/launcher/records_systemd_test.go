package launcher

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"

	"jupyterhubd/hub"
	"jupyterhubd/test/testbed"
)

// recordings is a machine whose records are compared with what its systemd says.
type recordings struct {
	*testbed.Bed
	t   *testing.T
	bus *sd.Conn
	uid int64 // alice's
}

// What systemd writes down of units is what it says of them over the bus, whatever has happened to them; and where it is not, or
// not all, nothing is said.
func TestRecordsSayWhatSystemdSays(t *testing.T) {
	bed, bus := machine(t)
	id, err := bed.Run(t.Context(), "id", "-u", "alice")
	if err != nil {
		t.Fatal(err)
	}
	r := recordings{Bed: bed, t: t, bus: bus}
	if r.uid, err = strconv.ParseInt(id, 10, 64); err != nil {
		t.Fatal(err)
	}
	plain := r.run("alice", "", ordinary(), "sleep infinity")
	promised := ordinary()
	promised.MemGuarantee, promised.CPUGuarantee, promised.RuntimeMax, promised.Group = 64<<20, 1.5, 90*time.Minute, "gpu"
	promised.Chosen = map[string]any{"image": `a "b" %n \x {`}
	rich := r.run("anna-maria@ü.org", `p@th \x2d "ü" 100%`, promised, "sleep infinity")
	stays := r.run("alice", "stays", ordinary(), "trap '' TERM; while :; do sleep 1; done")
	broken := r.run("alice", "broken", ordinary(), "exit 3", sd.PropType("oneshot"))
	lost := r.run("alice", "lost", ordinary(), "sleep infinity")

	r.agree(plain, rich, stays, lost)
	r.refuse(broken, errAsk)
	r.systemctl("set-property", "--runtime", rich, "MemoryMax=1G", "CPUQuota=50%")
	r.agree(plain, rich)
	r.systemctl("daemon-reexec")
	r.agree(plain, rich, lost)
	r.write("/etc/systemd/system/jupyter-.service.d/nice.conf", "[Service]\nNice=5\nEnvironment=A=b\n")
	r.systemctl("daemon-reload")
	r.agree(plain, rich, lost)

	r.systemctl("stop", "--no-block", stays)
	r.refuse(stays, errAsk)
	r.write("/run/systemd/system/jupyter-lab.service", "[Service]\nExecStart=sleep infinity\nLogExtraFields=JUPYTERHUB_UNIT=1 JUPYTERHUB_USER=lab\n")
	r.systemctl("daemon-reload")
	r.systemctl("start", "jupyter-lab.service")
	r.refuse("jupyter-lab.service", os.ErrNotExist)
	if err := os.Remove(bed.Path("/run/systemd/transient/" + lost)); err != nil {
		t.Fatal(err)
	}
	r.refuse(lost, os.ErrNotExist)
	r.write("/etc/systemd/system/"+plain+".d/user.conf", "[Service]\nUser=bob\n")
	r.refuse(plain, errAsk)
	r.agree(rich)
}

// run starts a unit as Compose makes it, with a shell's command in the server's place.
func (r recordings) run(user, server string, s Settings, script string, more ...sd.Property) string {
	r.t.Helper()
	a := alice
	a.Name, a.UID = user, r.uid
	c, err := Compose(DefaultLayout(), order(a, server, s))
	if err != nil {
		r.t.Fatal(err)
	}
	elsewhere := []string{"ExecStart", "Type", "LoadCredential", "BindPaths", "TemporaryFileSystem", "WorkingDirectory"}
	properties := slices.DeleteFunc(c.Properties, func(p sd.Property) bool { return slices.Contains(elsewhere, p.Name) })
	properties = append(append(properties, more...), sd.PropExecStart([]string{"/bin/sh", "-c", script}, false))
	done := make(chan string, 1)
	if _, err := r.bus.StartTransientUnitContext(r.t.Context(), c.Unit, "fail", properties, done); err != nil {
		r.t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(testbed.Patience()):
		r.t.Fatalf("%s does not start", c.Unit)
	}
	return c.Unit
}

func (r recordings) systemctl(args ...string) {
	r.t.Helper()
	if _, err := r.Systemctl(r.t.Context(), args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r recordings) write(path, text string) {
	r.t.Helper()
	if err := r.WriteFile(r.t.Context(), path, text, 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// about is what the records say of a unit just now.
func (r recordings) about(unit string) (seen, error) {
	r.t.Helper()
	status, err := r.bus.ListUnitsByNamesContext(r.t.Context(), []string{unit})
	if err != nil || len(status) != 1 {
		r.t.Fatalf("%s: %v, %v", unit, status, err)
	}
	groups := cgroups{root: r.Path(cgroupRoot), unified: exists(r.Path(cgroupRoot + "/cgroup.controllers"))}
	records, err := openRecords(r.Path("/"), "/"+hub.TopSlice, groups)
	if err != nil {
		r.t.Fatal(err)
	}
	return records.about(status[0])
}

func (r recordings) refuse(unit string, want error) {
	r.t.Helper()
	if s, err := r.about(unit); !errors.Is(err, want) {
		r.t.Errorf("%s: said %v, %v, want %v", unit, s, err, want)
	}
}

// agree compares what is told of units, however it is known.
func (r recordings) agree(units ...string) {
	r.t.Helper()
	for _, unit := range units {
		all, err := r.bus.GetAllPropertiesContext(r.t.Context(), unit)
		if err != nil {
			r.t.Fatal(err)
		}
		told := seen(all)
		written, err := r.about(unit)
		if err != nil {
			r.t.Errorf("%s: %v", unit, err)
			continue
		}
		if got, want := known(written, unit), known(told, unit); got != want {
			r.t.Errorf("%s is\n%s\nby what is written, and\n%s\nby what systemd says", unit, got, want)
		}
		if late := told.since().Sub(written.since()); late < -time.Second || late > testbed.Patience() {
			r.t.Errorf("%s began to start %v before it was active", unit, late)
		}
	}
}

// known is everything that the picture takes from what is seen of a unit, but for the moments.
func known(s seen, unit string) string {
	ref, ours := s.ours(unit)
	u := s.unit(unit, ref)
	lasts := u.Until.Sub(u.Since)
	u.Since, u.Until = time.Time{}, time.Time{}
	return fmt.Sprintf("%t %+v %v %+v %+v %s", ours, u, lasts, s.choice(), s.promise(), s.text("ControlGroup"))
}
