package launcher

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"jupyterhubd/hub"
)

// maxLinks bounds the symbolic links of one path, as the kernel does (ELOOP).
const maxLinks = 40

// tree is a root directory in which programs are looked for; "" is the machine's own.
type tree string

// find returns the absolute path of the program that users' servers run: name itself if it is a path, else the first
// one in the search path that nobody but root could have put there or could change. What is unsafe is passed over; when there
// is nothing else, the error names who could change what.
func (t tree) find(name string, searchPath []string) (string, error) {
	path, passed, err := t.lookUp(name, searchPath)
	if err != nil && len(passed) > 0 {
		err = passed[0]
	}
	return path, err
}

// lookUp is find, and says why it passed over what stands earlier in the search path.
func (t tree) lookUp(name string, searchPath []string) (path string, passed []error, err error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return "", nil, hub.Errorf(hub.Invalid, "the command %q has to be an absolute path or a name without a slash", name)
		}
		return name, nil, t.checkProgram(name)
	}
	for _, dir := range searchPath {
		path := filepath.Join(dir, name)
		err := t.checkProgram(path)
		if err == nil {
			return path, passed, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			passed = append(passed, err)
		}
	}
	return "", passed, hub.Errorf(hub.NotFound, "%q is in none of the directories of search_path (%s): "+
		"install it there, or name it in cmd with its whole path", name, strings.Join(searchPath, ", "))
}

// checkProgram returns nil if path is a program that root alone can change, the interpreter of a script included.
func (t tree) checkProgram(path string) error {
	file, err := t.resolve(path)
	if err != nil {
		return err
	}
	if err := runnable(file); err != nil {
		return err
	}
	interpreter, err := interpreterOf(file)
	if err != nil || interpreter == "" {
		return err
	}
	if file, err = t.resolve(interpreter); err == nil {
		err = runnable(file)
	}
	if err != nil { // not as fs.ErrNotExist: the program is there, and nothing else of its name is looked for
		return hub.Errorf(hub.KindOf(err), "%s is run by %s: %v", path, interpreter, err)
	}
	return nil
}

// resolve follows path component by component from the tree's root, as the kernel would, and returns the file that it leads to, as it
// is called on this machine. It refuses at the first component that somebody other than root could replace: a check of the last file
// alone would miss a directory on the way.
func (t tree) resolve(path string) (string, error) {
	at, rest, links := "/", strings.Split(path, "/"), 0
	for {
		if err := rootsAlone(t.here(at)); err != nil {
			return "", err
		}
		if len(rest) == 0 {
			return t.here(at), nil
		}
		next := filepath.Join(at, rest[0]) // "" and "." stay, ".." goes up
		rest = rest[1:]
		target, err := os.Readlink(t.here(next))
		switch {
		case errors.Is(err, syscall.EINVAL): // no link
			at = next
			continue
		case err != nil:
			return "", missing(path, err)
		}
		if links++; links > maxLinks {
			return "", hub.Errorf(hub.Invalid, "%s leads through more than %d symbolic links", path, maxLinks)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
}

// here is what a path of the tree is called on this machine.
func (t tree) here(path string) string { return filepath.Join("/", string(t), path) }

// checkProgram is for programs of this machine's own.
func checkProgram(path string) error { return tree("").checkProgram(path) }

// missing keeps fs.ErrNotExist findable: a program that is not there is looked for further on.
func missing(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &hub.Error{Kind: hub.NotFound, Text: fmt.Sprintf("there is no %s", path), Err: fs.ErrNotExist}
	}
	return err
}

// rootsAlone refuses a file or directory that somebody other than root could change. Access lists need no look of their
// own: where one lets somebody write, the group's bit of the mode says so (acl(5)).
func rootsAlone(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return missing(path, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s has no owner", path)
	}
	switch mode := info.Mode().Perm(); {
	case stat.Uid != 0:
		return hub.Errorf(hub.Forbidden, "%s belongs to uid %d, who could put another program there: chown root %s", path, stat.Uid, path)
	case mode&0o020 != 0:
		return hub.Errorf(hub.Forbidden, "%s can be changed by its group (gid %d): chmod g-w %s", path, stat.Gid, path)
	case mode&0o002 != 0:
		return hub.Errorf(hub.Forbidden, "%s can be changed by everybody: chmod o-w %s", path, path)
	}
	return nil
}

func runnable(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return missing(path, err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o001 == 0 {
		return hub.Errorf(hub.Invalid, "%s is no program that users can run: chmod a+rx %s", path, path)
	}
	return nil
}

// maxInterpreter is how much of a script the kernel reads for its "#!" line.
const maxInterpreter = 256

// interpreterOf returns the program of a script's first line, or "" for what is no script.
func interpreterOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxInterpreter)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	rest, isScript := strings.CutPrefix(line, "#!")
	words := strings.Fields(rest)
	if !isScript || len(words) == 0 {
		return "", nil
	}
	if !filepath.IsAbs(words[0]) {
		return "", hub.Errorf(hub.Invalid, "%s is run by %q, which is no absolute path", path, words[0])
	}
	return words[0], nil
}
