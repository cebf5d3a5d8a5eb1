package config

import (
	"fmt"
	"strings"
)

const referenceHead = `# Configuration

<!-- Made from the table of options in hub/config by its tests: go test ./hub/config -update -->

The configuration is ` + "`/etc/jupyterhub/jupyterhub.toml`" + ` and, after it, ` + "`/etc/jupyterhub/jupyterhub.toml.d/*.toml`" + ` in
the order of their names. Of a key that is set twice the later wins; tables such as ` + "`environment`" + ` are merged key by key.
The files belong to root, may be read by everyone, and hold no secrets. A file that others than its owner can write is
refused, because root programs act on it.

Where JupyterHub has an option, ours has its name. What belongs to a socket (addresses, ports) or to a timer (intervals) is
not here but in systemd's units: ` + "`systemctl edit jupyterhub-proxy.socket`" + `.

| Type | How it is written |
|---|---|
| size | a number of bytes, or ` + "`\"512M\"`, `\"1.5G\"`" + `: K, M, G, T are powers of 1024 |
| span of time | ` + "`\"90s\"`, `\"5m\"`, `\"1h30m\"`, `\"14d\"`" + `; a bare number is seconds |
| number, whole number | without quotes |
| table of properties | settings of systemd.exec(5) and systemd.resource-control(5): strings, whole numbers, true, false, or lists of strings |

A mistake stops a start or a reload, and every mistake is told at once, with file and line:

    $ jupyterhub check-config
    /etc/jupyterhub/jupyterhub.toml:12: spawner.mem_limt: is no key of [spawner]; did you mean mem_limit?
    /etc/jupyterhub/jupyterhub.toml:13: spawner.cpu_limit: is the string "2"; it wants a number such as 2.0, without quotes

"Applies" says when a change begins to hold: *reload* is ` + "`systemctl reload jupyterhub`" + `, *restart* is
` + "`systemctl restart jupyterhub`" + ` (running servers go on), *next start* is the next start of a user's server.
`

const referenceHosts = `
### A host for each user

On one host the pages of all servers, and the hub's, are of one origin: a page of mallory's server can do what its visitor's browser can.
With a host for each, browsers keep them apart ([security.md](security.md#cookies-and-origins)). It takes:

1. A wildcard in the DNS: ` + "`hub.example.org`" + ` and ` + "`*.hub.example.org`" + ` lead to this machine.
2. A wildcard certificate, for both names. ACME gives it by DNS-01 alone, which certbot, lego or acme.sh can do and the proxy cannot; a
   renewed file is served at once.
3. ` + "`systemctl restart jupyterhub jupyterhub-proxy`" + `. Servers that run go on.

        [hub]
        subdomain_host = "https://hub.example.org"
        [proxy]
        tls_certificate = "/etc/letsencrypt/live/hub.example.org/fullchain.pem"
        tls_key = "/etc/letsencrypt/live/hub.example.org/privkey.pem"

Services are at hosts such as ` + "`grader--service.hub.example.org`" + `. A proxy in front of ours passes ` + "`Host`" + ` on as it came.
` + "`jupyterhub check-config`" + ` says when the certificate is not good for hosts of users, ` + "`jupyterhub doctor`" + ` when the DNS does not lead here.
`

const referenceGuests = `
### Guests

People without an account come in under names that ` + "`guest_users`" + ` lists, and prove who they are as a PAM service of your own says:

    [authenticator]
    guest_users = ["guest-*"]
    guest_groups = ["guests"]
    [spawner.group.guests]
    mem_limit = "512M"

` + "`/etc/pam.d/jupyterhub-guests`" + ` may hold a table of passwords (pam_userdb), a program (pam_exec), a directory that is not the
machine's (pam_ldap): whatever needs no account. Among the package's examples is one of each of the first two. The auth part asks. The
account part is asked again while they are logged in, as accounts are: a guest whom it does not know any more, or refuses, loses
sessions, tokens and servers within ` + "`auth_refresh_age`" + `.

- A name that is an account's, now or later, is the account's: its holder logs in with the system password, and what a guest of that
  name had in the hub is gone. A user who had an account, on the other hand, is no guest when the account is missing.
- A guest's server runs as a user that systemd makes up for the time. The home is kept, below ` + "`/var/lib/private/jupyter-guests`" + `, for the
  name: who gets the name next gets the home, unless root has removed it.
- Guests are in no group of the system. For ` + "`[spawner.group.NAME]`" + ` and the ` + "`allowed_groups`" + ` of profiles they are in
  ` + "`guest_groups`" + `; ` + "`admin_groups` and `admin_users`" + ` do not speak of them.
- For a workshop, ` + "`guest-*`" + ` with a pam_exec that takes one password for all lets everybody choose a name. Two who choose the same are
  one guest, with one home. There is no login without a name and a password.
`

const referenceOverlays = `
### [spawner.group.NAME], [spawner.user.NAME]

A group is a group of the operating system (` + "`getent group`" + `), never a hub group. Both tables take the keys of [spawner]
that are marked ⬩ above. For one server [spawner] holds first, then the groups of its user in the order of their names, then
the user, then the profile that was chosen, then the answers to its options; the later wins, and tables are merged.

    [spawner.group.students]
    mem_limit = "1G"
`

// Reference returns docs/configuration.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range sections() {
		if s.Name == "spawner.profile" {
			b.WriteString(referenceOverlays)
		}
		level := "##"
		if s.below() {
			level = "###"
		}
		fmt.Fprintf(&b, "\n%s %s\n", level, s.Title())
		fmt.Fprintf(&b, "\n%s\n\n| Key | Type | Default | Applies | Meaning |\n|---|---|---|---|---|\n", s.Doc)
		for _, o := range s.Options {
			b.WriteString(referenceRow(s.Name, o))
		}
		switch s.Name {
		case "hub":
			b.WriteString(referenceHosts)
		case "authenticator":
			b.WriteString(referenceGuests)
		case "spawner":
			referenceSandbox(&b)
		case "spawner.profile":
			referenceOffers(&b)
		}
	}
	return b.String()
}

func referenceRow(section string, o Option) string {
	mark, def := "", "`"+literal(o.Default)+"`"
	if section == "spawner" && isPolicy(o.Key) {
		mark = " ⬩"
	}
	if o.Key == "sandbox" {
		def = "see below"
	}
	doc := strings.TrimSpace(o.Doc + " " + o.Note)
	if o.Shipped != nil {
		doc += " The shipped file says `" + literal(o.Shipped) + "`. " + strings.ReplaceAll(o.Warning, "\n", " ")
	}
	return fmt.Sprintf("| `%s`%s | %s | %s | %s | %s |\n", o.Key, mark, o.Type, def, o.Applies, strings.ReplaceAll(doc, "|", "\\|"))
}

func referenceSandbox(b *strings.Builder) {
	b.WriteString("\n### [spawner.sandbox]\n\nThe default, and why:\n\n")
	referenceProperties(b, sandbox)
	b.WriteString("\n`sandbox = \"strict\"`, in [spawner], a group, a user or a profile, has these as well, or instead. What they refuse the kernel refuses an\n" +
		"account without capabilities all the same ([decisions/sandbox.md](decisions/sandbox.md)); what they cost a start is in\n" +
		"[benchmarks.md](benchmarks.md). `[spawner.sandbox]` with `base = \"strict\"` changes single properties of it.\n\n")
	referenceProperties(b, strict)
	b.WriteString("\nDirectories that a site writes to from servers need nothing unless ProtectSystem is `\"strict\"`; then add\n" +
		"`ReadWritePaths = [\"/srv/course\"]` to `[spawner.unit_extra_properties]`.\n")
}

func referenceProperties(b *strings.Builder, set []sandboxed) {
	b.WriteString("| Property | Value | Reason |\n|---|---|---|\n")
	for _, s := range set {
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", s.property, literal(s.value), s.reason)
	}
}
