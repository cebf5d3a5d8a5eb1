package web

import (
	"net/http"
	"strings"
	"unicode"

	"jupyterhubd/hub"
	"jupyterhubd/hub/auth"
	"jupyterhubd/hub/rbac"
)

// longestServerName is how long the name of a server may be that is made from what somebody typed, as JupyterHub has it.
const longestServerName = 30

// displayName is what somebody typed, with single spaces between printable words.
func displayName(typed string) string {
	printable := strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return ' '
		}
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(typed, ""))
	return strings.Join(strings.Fields(printable), " ")
}

// serverName makes of a display name one that can stand in addresses: small letters, digits and single hyphens, a letter first. Two
// display names may give one.
func serverName(display string) string {
	words := strings.FieldsFunc(strings.ToLower(display), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	name := strings.Join(words, "-")
	if name == "" || name[0] < 'a' {
		name = strings.TrimSuffix("x-"+name, "-")
	}
	return strings.TrimSuffix(name[:min(len(name), longestServerName)], "-")
}

// addServer makes a named server of what was typed for its name, and leads to its start, where there may be something to choose. What
// is refused is told on the home page.
func (room *Room) addServer(w http.ResponseWriter, r *http.Request, user string) error {
	typed := r.PostForm.Get("name")
	display := displayName(typed)
	ref := hub.ServerRef{User: user, Server: serverName(display)}
	auth.Concern(r, "add", "server "+ref.String())
	err := auth.FromContext(r.Context()).Authorize([]string{"start:servers"}, rbac.ServerResource(ref))
	if err == nil && display == "" {
		err = hub.Errorf(hub.Invalid, "What is the server to be called? The name is missing")
	}
	if err == nil {
		_, err = room.Workshop.Create(ref, display)
	}
	if err == nil {
		return redirect(w, http.StatusSeeOther, room.toSpawn(ref))
	}
	if status, frame, ok := mendable(r, err); ok {
		return room.showHome(w, r, status, homePage{Refused: frame.Refused, Typed: typed})
	}
	return err
}
