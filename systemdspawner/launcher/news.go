package launcher

import sd "github.com/coreos/go-systemd/v22/dbus"

// stateChange reports whether a change may have touched the state of a unit of ours.
func stateChange(u *sd.PropertiesUpdate) bool {
	if !isOurName(u.UnitName) {
		return false
	}
	_, state := u.Changed["ActiveState"]
	_, run := u.Changed["InvocationID"]
	return state || run
}

// shows reports whether the picture has already what a change says. Systemd sends all that may change of a unit whenever anything
// does, several times in a start; to look at the unit each time would cost it and us more than the start's other calls.
func (r *roster) shows(u *sd.PropertiesUpdate) bool {
	said := seen{}
	for _, name := range []string{"ActiveState", "InvocationID", "FreezerState"} {
		v, is := u.Changed[name]
		if !is {
			return false
		}
		said[name] = v.Value()
	}
	e, known := r.named(u.UnitName)
	is := e.unit
	return known && e.alive() && is.State == said.state() && is.Invocation == said.invocation() && is.Frozen == (said.text("FreezerState") == "frozen")
}
