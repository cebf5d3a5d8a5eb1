package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"jupyterhubd/hub"
	"jupyterhubd/hub/config"
)

// secrets are the tokens of the configured services, by the services' names.
type secrets map[string]string

// maxSecret bounds a file with a token, in bytes.
const maxSecret = 4096

// minToken is the shortest token that cannot be guessed in an afternoon; JupyterHub's own are as long.
const minToken = 32

// readSecrets reads the files that hold the services' tokens. Its error holds every mistake, each with its place.
func readSecrets(c *config.Config) (secrets, error) {
	all := secrets{}
	owners := map[string]string{}
	var mistakes config.Mistakes
	for _, s := range c.Hub.Services {
		key := "hub.services." + s.Name + ".api_token_file"
		if s.APITokenFile == "" {
			if s.OAuth() && !s.Managed() {
				mistakes = append(mistakes, mistakeAt(c, "hub.services."+s.Name, errors.New("has no api_token_file; "+
					"people log in to it, so it has to prove itself with a token: name the file that holds one")))
			}
			continue
		}
		if s.Managed() {
			mistakes = append(mistakes, mistakeAt(c, key, errors.New("goes with a service that somebody else runs; systemd gives this one its token: remove it")))
			continue
		}
		token, err := readToken(s.APITokenFile)
		if err == nil && owners[token] != "" {
			err = fmt.Errorf("holds the token of the service %s; give each its own", owners[token])
		}
		if err != nil {
			mistakes = append(mistakes, mistakeAt(c, key, err))
			continue
		}
		all[s.Name], owners[token] = token, s.Name
	}
	if len(mistakes) > 0 {
		return nil, hub.Errorf(hub.Invalid, "%w", mistakes)
	}
	return all, nil
}

// readToken reads a file that nobody but its owner and its group may read, or a credential of our unit.
func readToken(name string) (string, error) {
	path := name
	if !strings.Contains(name, "/") {
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("names the credential %s, and jupyterhub.service has none; systemctl edit jupyterhub.service, "+
				"with LoadCredential=%s:PATH in [Service]", name, name)
		}
		path = filepath.Join(dir, name)
	}
	b, err := readSecret(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("names a file that holds no token; it wants %d characters or more on one line, as `openssl rand -hex 32` prints", minToken)
	}
	return token, nil
}

// readSecret reads a small file that is not open to everybody.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	var p *fs.PathError
	if errors.As(err, &p) {
		return nil, fmt.Errorf("names a file that cannot be read: %w; it wants to belong to root and the group jupyterhub, with mode 0640", p.Err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("names no regular file")
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("names a file that everybody can read or write; run: chmod o= %s", path)
	}
	return io.ReadAll(io.LimitReader(f, maxSecret))
}
