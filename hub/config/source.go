package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// The names of the files inside the configuration's directory.
const (
	MainFile   = "jupyterhub.toml"
	DropInDir  = "jupyterhub.toml.d"
	DefaultDir = "/etc/jupyterhub"
)

// maxFile bounds a file; root's own configuration is a few kilobytes.
const maxFile = 1 << 20

// source is one file as read.
type source struct {
	file  string
	tree  map[string]any
	lines map[string]int // by found.at; empty when the scanner and the library disagree
}

// files lists what is to be read, in order: the main file if it is there, then the drop-ins by name.
func files(dir string) ([]string, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, Mistakes{{File: dir, Text: "is no directory that can be read; configuration lives in " + DefaultDir}}
	}
	var list []string
	main := filepath.Join(dir, MainFile)
	if _, err := os.Lstat(main); !errors.Is(err, fs.ErrNotExist) {
		list = append(list, main)
	}
	dropins, err := os.ReadDir(filepath.Join(dir, DropInDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, Mistakes{{File: filepath.Join(dir, DropInDir), Text: reason(err)}}
	}
	for _, d := range dropins {
		if strings.HasSuffix(d.Name(), ".toml") && !strings.HasPrefix(d.Name(), ".") {
			list = append(list, filepath.Join(dir, DropInDir, d.Name()))
		}
	}
	return list, nil
}

// read reads one file, up to its first syntax error.
func read(file string) (source, *Mistake) {
	text, err := content(file)
	if err != nil {
		return source{}, &Mistake{File: file, Text: reason(err)}
	}
	tree, keys, mistake := decode(text)
	if mistake != nil {
		mistake.File = file
		return source{}, mistake
	}
	return source{file: file, tree: tree, lines: linesOf(text, keys)}, nil
}

// content returns a file's text. A root program will act on it, so nobody else may be able to write it.
func content(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("is no regular file")
	case info.Mode().Perm()&0o022 != 0:
		return "", fmt.Errorf("can be written by others than its owner; run: chmod go-w %s", file)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(b) > maxFile {
		return "", errors.New("is larger than 1 MiB; a configuration is a few kilobytes")
	}
	return string(b), err
}

func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return "cannot be read: " + p.Err.Error()
	}
	return err.Error()
}

// decode hands the text to the TOML library.
func decode(text string) (tree map[string]any, keys []toml.Key, mistake *Mistake) {
	defer func() { // the library panics on what it takes for bugs of its own
		if r := recover(); r != nil {
			mistake = &Mistake{Text: "is TOML that cannot be read; write it more plainly"}
		}
	}()
	meta, err := toml.Decode(text, &tree)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return nil, nil, &Mistake{Line: syntax.Position.Line, Text: "is no TOML: " + syntax.Message}
	}
	if err != nil {
		return nil, nil, &Mistake{Text: "is no TOML: " + err.Error()}
	}
	return tree, meta.Keys(), nil
}

// linesOf asks the scanner, and believes it only if it saw the same keys in the same order as the library did.
func linesOf(text string, keys []toml.Key) map[string]int {
	scanned := scan(text)
	if !slices.EqualFunc(scanned, keys, func(f found, k toml.Key) bool { return slices.Equal(f.path, k) }) {
		return nil
	}
	lines := make(map[string]int, len(scanned))
	for _, f := range scanned {
		if lines[f.at] == 0 {
			lines[f.at] = f.line
		}
	}
	return lines
}
