package launcher

import (
	"strings"

	"golang.org/x/sys/unix"
)

// hints is what the last lines of a server say of why it failed, where systemd cannot know. The lines are the user's own: a
// lie in them misleads nobody else.
type hints struct {
	full   bool // a write failed because the disk or a quota is full
	config bool // Jupyter could not read the user's configuration
	device bool // a device is missing
}

// sayings are what programs say, in the words of the C library and of Python.
var sayings = []struct {
	text string
	mark func(*hints)
}{
	{"No space left on device", func(h *hints) { h.full = true }},
	{"Disk quota exceeded", func(h *hints) { h.full = true }},
	{"[Errno 28]", func(h *hints) { h.full = true }},
	{"[Errno 122]", func(h *hints) { h.full = true }},
	{"Exception while loading config file", func(h *hints) { h.config = true }},
	{"Failed to load config file", func(h *hints) { h.config = true }},
	{"Bad config encountered", func(h *hints) { h.config = true }},
	{"Invalid JSON in config", func(h *hints) { h.config = true }},
	{"No such device", func(h *hints) { h.device = true }},
	{"[Errno 19]", func(h *hints) { h.device = true }},
}

// hintsIn reads the lines of one run.
func hintsIn(lines []string) (h hints) {
	for _, line := range lines {
		for _, s := range sayings {
			if strings.Contains(line, s.text) {
				s.mark(&h)
			}
		}
	}
	return h
}

// isFull reports whether a directory's file system has no room left for its users, in bytes or in files. Quotas are not seen
// from here.
func isFull(dir string) bool {
	var fs unix.Statfs_t
	if dir == "" || unix.Statfs(dir, &fs) != nil || fs.Blocks == 0 {
		return false
	}
	const least = 64 << 10 // bytes; a server writes a few files as it starts
	return fs.Bavail*uint64(fs.Bsize) < least || fs.Files > 0 && fs.Ffree == 0
}
