package config

import (
	"fmt"
	"strings"
)

const manHead = `.\" Made from the table of options in hub/config by its tests: go test ./hub/config -update
.TH JUPYTERHUB.TOML 5 "" "JupyterHub" "File formats"
.SH NAME
jupyterhub.toml \- configuration of JupyterHub
.SH SYNOPSIS
.I /etc/jupyterhub/jupyterhub.toml
.br
.I /etc/jupyterhub/jupyterhub.toml.d/*.toml
.SH DESCRIPTION
The file is TOML. Drop-ins are read after it in the order of their names; of a key that is set twice the later wins, and
tables such as
.B environment
are merged. The files belong to root, may be read by everyone and hold no secrets; a file that others than its owner can
write is refused.
.PP
Sizes are numbers of bytes or strings such as "512M" or "2G", spans of time are seconds or strings such as "90s" or "1h30m".
Addresses and ports belong to socket units, intervals to timer units; see
.BR jupyterhub (1).
.PP
.B jupyterhub check-config
reports every mistake with file and line;
.B systemctl reload jupyterhub
applies changes, or none if there is a mistake. Each option below says in brackets its type, its default, and when a change
of it begins to hold.
`

const manOverlays = `.SH [spawner.group.NAME] AND [spawner.user.NAME]
The same keys as in [spawner], but for start_timeout and http_timeout, for the members of a group of the operating system and
for one account. For one server [spawner] holds first, then its user's groups in the order of their names, then the user, then
the profile; the later wins.
`

const manTail = `.SH EXAMPLE
.EX
[authenticator]
allowed_groups = ["staff", "students"]
admin_groups = ["wheel"]

[spawner]
mem_limit = "4G"

[spawner.group.students]
mem_limit = "1G"
cpu_limit = 1.0
.EE
.SH SEE ALSO
.BR jupyterhub (1),
.BR jupyterhub-idle-culler (8),
.BR systemd.exec (5),
.BR systemd.resource-control (5)
`

// Man returns docs/man/jupyterhub.toml.5.
func Man() string {
	var b strings.Builder
	b.WriteString(manHead)
	for _, s := range sections() {
		if s.Name == "spawner.profile" {
			b.WriteString(manOverlays)
		}
		fmt.Fprintf(&b, ".SH %s\n%s\n", s.Title(), roff(s.Doc))
		for _, o := range s.Options {
			manOption(&b, o)
		}
		if s.Name == "spawner.profile" {
			manOffers(&b)
		}
	}
	b.WriteString(manTail)
	return b.String()
}

func manOption(b *strings.Builder, o Option) {
	def := literal(o.Default)
	if o.Key == "sandbox" {
		def = "below"
	}
	fmt.Fprintf(b, ".TP\n.B %s\n%s\n[%s; %s; %s]\n", o.Key, roff(strings.TrimSpace(o.Doc+" "+o.Note)), o.Type, roff(def), o.Applies)
	if o.Key != "sandbox" {
		return
	}
	manProperties(b, sandbox)
	fmt.Fprintf(b, ".IP\n%s\n", roff("\"strict\" has these as well, or instead:"))
	manProperties(b, strict)
}

func manProperties(b *strings.Builder, set []sandboxed) {
	for _, s := range set {
		fmt.Fprintf(b, ".RS\n.TP\n.B %s = %s\n%s\n.RE\n", s.property, roff(literal(s.value)), roff(s.reason))
	}
}

// roff escapes what troff would take for itself.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
