package config

import (
	"fmt"
	"strings"
)

const exampleHead = `# JupyterHub's configuration. Both root helpers and the hub read it: it is root's, and holds no secrets.
#
# Every option is here. A line that begins with "#" and a key shows the default; take the "#" away to change it. Files in
# jupyterhub.toml.d/ whose names end in .toml are read after this one, in the order of their names, and win.
#
#   jupyterhub check-config        says what is wrong, all of it at once
#   systemctl reload jupyterhub    makes changes hold, or changes nothing
#   jupyterhub show-config         shows what holds, and which file and line says so
#
# Sizes are written "512M" or "2G", spans of time "90s" or "1h". Ports and addresses belong to socket units, intervals to
# timer units: systemctl edit jupyterhub-proxy.socket. The manual is jupyterhub.toml(5).
`

// exampleTails show the tables that a site may have several of.
var exampleTails = map[string]string{"spawner.profile": exampleOverlays, "hub.load_roles": exampleRoles, "hub.services": exampleServices}

const exampleRoles = `
# Roles: what somebody may do beside their own things, and who. Roles, groups and services are listed whole in the manual.
#
#[[hub.load_roles]]
#name = "class-assistant"
#scopes = ["list:users!group=class", "admin:servers!group=class"]
#users = ["alice"]
#
#[hub.load_groups.class]
#users = ["bob", "mallory"]
`

const exampleServices = `
# Programs that speak to the hub, or that people log in to by way of it.
#
#[[hub.services]]
#name = "grader"
#url = "http://127.0.0.1:9000"
#api_token_file = "/etc/jupyterhub/grader.token"
#
#[[hub.services]]                # one that systemd runs, and that gets its token from us
#name = "wiki"
#url = "http://127.0.0.1:9001"
#command = ["wiki-server"]
`

const exampleOverlays = `
# Other limits for the members of a group of the system, for a user, or for a choice that users make: [spawner], then the
# groups in the order of their names, then the user, then the profile; the later wins.
#
#[spawner.group.students]
#mem_limit = "1G"
#
#[spawner.user.alice]
#cpu_limit = 4.0
#
#[[spawner.profile]]
#name = "gpu"
#display_name = "With a graphics card"
#allowed_groups = ["gpu"]
#device_allow = ["/dev/nvidia*"]
#
# Software by profile: an environment made by venv or conda, a tree or an image of a whole system, or something laid over
# /usr and /opt. All of it is root's, and nobody else can write it. Programs of the environment come first in PATH.
#
#[[spawner.profile]]
#name = "course"
#cmd = ["/opt/envs/course/bin/jupyterhub-singleuser"]
#environment = { CONDA_PREFIX = "/opt/envs/course" }
#
#[[spawner.profile]]
#name = "bookworm"
#root_image = "/srv/images/bookworm.raw"
#cmd = ["/opt/jupyterhub/bin/jupyterhub-singleuser"]
#
#[[spawner.profile]]
#name = "torch"
#extension_images = ["/srv/images/torch.raw"]
`

// Example returns the file that is shipped as /etc/jupyterhub/jupyterhub.toml.
func Example() string {
	var b strings.Builder
	b.WriteString(exampleHead)
	for _, s := range sections() {
		if s.below() {
			b.WriteString(exampleTails[s.Name])
			continue
		}
		fmt.Fprintf(&b, "\n%s\n[%s]\n", comment(s.Doc), s.Name)
		for _, o := range s.Options {
			if o.Key != "sandbox" && o.Key != "unit_extra_properties" && o.Key != "group_slice" {
				exampleOption(&b, o)
			}
		}
		if s.Name == "spawner" {
			exampleSandbox(&b)
		}
	}
	return b.String()
}

func exampleOption(b *strings.Builder, o Option) {
	fmt.Fprintf(b, "\n%s\n", comment(o.Doc))
	if o.Shipped == nil {
		fmt.Fprintf(b, "#%s = %s\n", o.Key, literal(o.Default))
		return
	}
	fmt.Fprintf(b, "%s\n%s = %s\n", comment(o.Warning), o.Key, literal(o.Shipped))
}

func exampleSandbox(b *strings.Builder) {
	b.WriteString("\n# What the kernel keeps from servers: the default, each property with its reason. A key here replaces that one\n" +
		"# alone; the meaning of each is in systemd.exec(5). A line base = \"strict\" adds a second lock where the kernel has one already,\n" +
		"# and makes starts longer. What else a unit shall have goes into [spawner.unit_extra_properties].\n" +
		"[spawner.sandbox]\n")
	for _, s := range sandbox {
		fmt.Fprintf(b, "%s\n#%s = %s\n", comment(s.reason), s.property, literal(s.value))
	}
}

// comment wraps text into lines of a comment.
func comment(text string) string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := "#"
		for word := range strings.FieldsSeq(paragraph) {
			if len(line)+len(word) > 118 {
				lines, line = append(lines, line), "#"
			}
			line += " " + word
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
