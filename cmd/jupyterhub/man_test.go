package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/man/jupyterhub.1")

// TestManPageIsWhatHelpSays makes jupyterhub(1) from the commands and holds the file to it.
func TestManPageIsWhatHelpSays(t *testing.T) {
	const file = "../../docs/man/jupyterhub.1"
	a := app{places: machine()}
	want := manPage(a.root())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the commands say (%v); run: go test ./cmd/jupyterhub -update", file, err)
	}
}

const manTail = `.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It went wrong, or the configuration has mistakes.
.TP
.B 2
Wrong command line.
.TP
.B 3
.B status
found a part of the hub not running.
.SH FILES
.TP
.I /etc/jupyterhub/jupyterhub.toml
The configuration, see
.BR jupyterhub.toml (5).
.TP
.I /run/jupyterhub/admin.sock
Where the hub answers root and the members of group jupyterhub\-admin.
.SH SEE ALSO
.BR jupyterhub.toml (5),
.BR jupyterhubd (8),
.BR jupyterhub\-proxy (8),
.BR jupyterhub\-spawnd (8),
.BR jupyterhub\-pam (8),
.BR jupyterhub\-exec (8),
.BR jupyterhub\-idle\-culler (8),
.BR systemctl (1),
.BR journalctl (1)
`

func manPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(`.\" Made from the commands by their tests: go test ./cmd/jupyterhub -update` + "\n")
	b.WriteString(".TH JUPYTERHUB 1 \"\" \"JupyterHub\" \"User commands\"\n.SH NAME\njupyterhub \\- look after the JupyterHub of this machine\n")
	b.WriteString(".SH SYNOPSIS\n")
	for i, c := range commands(root) {
		if i > 0 {
			b.WriteString(".br\n")
		}
		fmt.Fprintf(&b, ".B %s\n", roff(strings.TrimSuffix(c.UseLine(), " [flags]")+flagged(c)))
	}
	long, _, _ := strings.Cut(root.Long, "\n\nExit status")
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(long) + ".SH COMMANDS\n")
	for _, c := range commands(root) {
		fmt.Fprintf(&b, ".SS %s\n%s", roff(strings.TrimPrefix(strings.TrimSuffix(c.UseLine(), " [flags]"), "jupyterhub ")), paragraphs(body(c)))
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { manFlag(&b, f) })
		if c.Example != "" {
			b.WriteString(".PP\n.EX\n" + roff(c.Example) + "\n.EE\n")
		}
	}
	b.WriteString(".SH OPTIONS\n")
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { manFlag(&b, f) })
	b.WriteString(".TP\n.B \\-\\-help\nPrint what a command does, with examples.\n" + manTail)
	return b.String()
}

func commands(root *cobra.Command) (list []*cobra.Command) {
	for _, c := range root.Commands() {
		switch {
		case !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion":
		case c.HasSubCommands():
			list = append(list, commands(c)...)
		default:
			list = append(list, c)
		}
	}
	return list
}

func flagged(c *cobra.Command) string {
	s := ""
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if name, _ := pflag.UnquoteUsage(f); f.Name != "help" && name != "" {
			s += " [--" + f.Name + " " + strings.ToUpper(name) + "]"
		} else if f.Name != "help" {
			s += " [--" + f.Name + "]"
		}
	})
	return s
}

func body(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

func manFlag(b *strings.Builder, f *pflag.Flag) {
	if f.Name == "help" {
		return
	}
	name, usage := pflag.UnquoteUsage(f)
	fmt.Fprintf(b, ".TP\n.BI \\-\\-%s \" %s\"\n%s.\n", roff(f.Name), strings.ToUpper(name), roff(strings.ToUpper(usage[:1])+usage[1:]))
}

func paragraphs(text string) string {
	return strings.ReplaceAll(roff(text), "\n\n", "\n.PP\n") + "\n"
}

func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
