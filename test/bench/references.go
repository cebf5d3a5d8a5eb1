package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"jupyterhubd/hub/config"
	"jupyterhubd/test/testbed"
)

// JupyterHub's units and addresses; ours has the ports 8000 and 8081.
const (
	otherHubUnit = "bench-jupyterhub.service"
	otherCHPUnit = "bench-jupyterhub-chp.service"
	otherURL     = "http://127.0.0.1:18000"
	otherHubURL  = "http://127.0.0.1:18081"
	searchPath   = "/usr/local/bin:/usr/bin:/bin"
)

//go:embed jupyterhub_config.py
var jupyterhubConfig string

// fetched is a file that test/bench/references got.
func fetched(name string) string { return filepath.Join(testbed.Environment("bench"), name) }

// there reports whether a file is there, and remembers what cannot be compared with where it is not.
func (s *stage) there(what, path string) bool {
	if _, err := os.Stat(path); err == nil {
		return true
	}
	s.lacks(what, path)
	return false
}

// lacks remembers, once, that something is missing.
func (s *stage) lacks(what, missing string) {
	sentence := fmt.Sprintf("Nothing is compared with %s: %s is missing; test/bench/references fetches what can be had.", what, missing)
	if !slices.Contains(s.missing, sentence) {
		s.missing = append(s.missing, sentence)
	}
}

// chpCommand is configurable-http-proxy, or nil where it or Node is missing.
func (s *stage) chpCommand() []string {
	node, err := exec.LookPath("node")
	if err != nil {
		s.lacks(chp, "Node")
		return nil
	}
	program := fetched("chp/node_modules/.bin/configurable-http-proxy")
	if !s.there(chp, program) {
		return nil
	}
	return []string{node, program}
}

// startJupyterHub starts the real JupyterHub and its proxy, where they are there.
func (s *stage) startJupyterHub(ctx context.Context) error {
	python, spawner := filepath.Dir(testbed.SingleUser()), fetched("systemdspawner")
	if s.chp = s.chpCommand(); s.chp == nil || !s.there(jupyterhub, python+"/jupyterhub") || !s.there(jupyterhub, spawner) {
		return nil
	}
	token, secret := rand.Text(), rand.Text()
	if err := s.configureJupyterHub(ctx); err != nil {
		return err
	}
	proxy := unit{
		name:    otherCHPUnit,
		environ: []string{"CONFIGPROXY_AUTH_TOKEN=" + secret, "PATH=" + searchPath},
		command: append(s.chp, "--ip=127.0.0.1", "--port=18000", "--api-ip=127.0.0.1", "--api-port=18001", "--log-level=error",
			"--default-target="+otherHubURL, "--error-target="+otherHubURL+"/hub/error"),
	}
	hub := unit{
		name: otherHubUnit,
		environ: []string{"CONFIGPROXY_AUTH_TOKEN=" + secret, "BENCH_TOKEN=" + token, "BENCH_COMMAND=" + singleUser,
			"PYTHONPATH=" + spawner, "PATH=" + python + ":" + searchPath},
		command: []string{python + "/jupyterhub", "--config=" + here + "/jupyterhub_config.py"},
	}
	if err := s.startUnits(ctx, proxy, hub); err != nil {
		return err
	}
	s.other = newSite(jupyterhub, otherURL, otherHubURL, token, s.transport())
	if err := s.awaitAnswer(ctx, otherURL+"/hub/health"); err != nil {
		return err
	}
	return s.other.createUsers(ctx, s.names())
}

// configureJupyterHub writes its configuration, and the sandbox of our servers as systemdspawner takes properties.
func (s *stage) configureJupyterHub(ctx context.Context) error {
	c, err := config.Load(s.bed.Path("/etc/jupyterhub"))
	if err != nil {
		return err
	}
	sandbox := map[string]string{}
	for name, value := range c.Spawner.Sandbox {
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		sandbox[name] = strings.Trim(fmt.Sprint(list), "[]")
	}
	b, err := json.Marshal(sandbox)
	if err != nil {
		return err
	}
	if err := s.bed.WriteFile(ctx, here+"/sandbox.json", string(b), 0o644); err != nil {
		return err
	}
	return s.bed.WriteFile(ctx, here+"/jupyterhub_config.py", jupyterhubConfig, 0o644)
}

// patience bounds waiting for something to be up.
const patience = time.Minute

// awaitAnswer asks until there is a good answer.
func (s *stage) awaitAnswer(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		status, _, err := s.own.do(ctx, http.MethodGet, url, nil)
		if err == nil && status < 300 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			told, _ := s.bed.Run(context.WithoutCancel(ctx), "journalctl", "--lines=20", "--unit=bench-*") // for whoever looks for the cause
			return fmt.Errorf("%s does not answer: %d, %w\n%s", url, status, err, told)
		}
	}
}
