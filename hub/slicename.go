package hub

import "strings"

// TopSlice holds all users' servers.
const TopSlice = "jupyter.slice"

// GroupSlice returns the slice that the members of a group share, where root gives it one.
func GroupSlice(group string) string { return sliceName("jupyter-group_", group) }

// UserSlice returns the slice of one account's servers: right in jupyter.slice, or in that of the group that decides.
func UserSlice(user, group string) string {
	if group == "" {
		return sliceName("jupyter-user_", user)
	}
	return sliceName(strings.TrimSuffix(GroupSlice(group), ".slice")+"-user_", user)
}

// sliceName escapes, and shortens, as UnitName does. In a slice's name "-" leads one level down, so a name's own has to be
// written \x2d here as well.
func sliceName(prefix, name string) string {
	unit := UnitName(ServerRef{User: name})
	return prefix + strings.TrimSuffix(strings.TrimPrefix(unit, unitPrefix), unitSuffix) + ".slice"
}
