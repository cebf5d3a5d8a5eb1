package system

import (
	"os"
	"strings"
	"testing"
)

// bashAsks is what bash does when somebody types a line and presses the tabulator: the installed script is sourced, and its function asked
// with the words of the line. _get_comp_words_by_ref is what the script takes from the package bash-completion, as far as it asks for it.
const bashAsks = `
_get_comp_words_by_ref() { while [[ $1 == -* ]]; do shift 2; done; cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
shopt -s extglob
source /usr/share/bash-completion/completions/jupyterhub
complete -p jupyterhub
ask() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMPREPLY=()
	__start_jupyterhub jupyterhub "${@: -1}" "${@: -2:1}"; printf '%s\n' "${COMPREPLY[@]}"; }
ask jupyterhub users show comp
echo ---
ask jupyterhub use
echo ---
ask jupyterhub servers stop ""
`

// zshAsks and fishAsks look whether the shell takes the script.
const (
	zshAsks  = `autoload -U compinit; compinit -u -D; source /usr/share/zsh/site-functions/_jupyterhub; whence -w _jupyterhub; print ${_comps[jupyterhub]}`
	fishAsks = `source /usr/share/fish/vendor_completions.d/jupyterhub.fish; complete -C "jupyterhub users show comp"`
)

// Shells take the scripts that make install puts into their places, and complete what there is in the hub.
func TestShellsComplete(t *testing.T) {
	s := onStage(t)
	s.run("jupyterhub", "users", "add", "completa")
	s.afterwards("jupyterhub", "users", "remove", "completa")
	out := s.run("bash", "--norc", "-c", bashAsks)
	for part, want := range map[string]string{"a user's name": "completa", "a verb": "users"} {
		if !strings.Contains(out, "\n"+want) {
			t.Errorf("bash does not complete %s:\n%s", part, out)
		}
	}
	if !strings.Contains(out, "complete -o default -F __start_jupyterhub jupyterhub") {
		t.Errorf("bash has no completion for jupyterhub:\n%s", out)
	}
	for shell, ask := range map[string]struct{ script, want string }{"zsh": {zshAsks, "_jupyterhub: function"}, "fish": {fishAsks, "completa"}} {
		t.Run(shell, func(t *testing.T) {
			if _, err := os.Stat("/usr/bin/" + shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			if out := s.run(shell, "-c", ask.script); !strings.Contains(out, ask.want) {
				t.Errorf("%s says\n%s", shell, out)
			}
		})
	}
}
