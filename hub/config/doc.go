// Package config is the one configuration: /etc/jupyterhub/jupyterhub.toml and the drop-ins beside it.
//
// It owns the table of options (options_*.go): key, type, default, checks and one line of documentation for each. Loading,
// `jupyterhub show-config`, the example file and docs/configuration.md are all made from that table, so none of them can
// say something else than the code does.
//
// It must not know who uses a value: no HTTP, no systemd, no store. It is imported by cmd/ alone; every other package takes
// a small Options struct of its own, and mains translate.
//
// Way in: Load. Way out: a *Config whose values are checked, or an error that holds every Mistake of every file at once,
// each as "file:line: key: what is wrong; what would be right".
//
// Caveats: both root programs read this file, so a file that others may write is refused. The TOML library does not tell
// where a key stands; scan.go finds the lines and is believed only while it names the very keys that the library found.
package config
