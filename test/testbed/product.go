package testbed

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// SingleUser is the jupyterhub-singleuser that users get in a bed. test/testbed/python/build makes it.
func SingleUser() string {
	return filepath.Join(cacheDir(), "singleuser-6.1.1/bin/jupyterhub-singleuser")
}

// Environment is the directory of another Python environment: "idle-culler-2.0.0".
func Environment(name string) string { return filepath.Join(cacheDir(), name) }

func cacheDir() string {
	if dir := os.Getenv("CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/jupyterhubd"
}

// sourceDir is the root of this project: where this file was compiled from.
func sourceDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// furnish gives a booted bed its accounts and the product.
func (b *Bed) furnish(ctx context.Context, o Options) error {
	if err := b.AddUsers(ctx, append(Cast[:len(Cast):len(Cast)], o.Users...)...); err != nil {
		return err
	}
	if _, err := b.Run(ctx, "usermod", "--append", "--groups", "sudo", "admin"); err != nil {
		return fmt.Errorf("make an admin: %w", err)
	}
	if o.Bare {
		return nil
	}
	if err := b.Install(ctx, o.Config); err != nil {
		return err
	}
	if _, err := b.Systemctl(ctx, "enable", "--now", "jupyterhub"); err != nil {
		return fmt.Errorf("enable the product: %w\n%s", err, b.Journal(ctx))
	}
	return nil
}

// InstallPackages installs packages of the distribution that test/testbed/packages has fetched, unless the host has them, which
// the bed then has as well.
func (b *Bed) InstallPackages(ctx context.Context, names ...string) error {
	var files []string
	for _, name := range names {
		if out, err := b.Run(ctx, "dpkg-query", "--show", "--showformat=${db:Status-Status}", name); err == nil && out == "installed" {
			continue
		}
		found, _ := filepath.Glob(filepath.Join(cacheDir(), "packages", name+"_*.deb"))
		if len(found) == 0 {
			return fmt.Errorf("package %s: it is neither installed nor fetched; say: make packages-test", name)
		}
		files = append(files, found[len(found)-1])
	}
	if len(files) == 0 {
		return nil
	}
	_, err := b.Run(ctx, "env", append([]string{"DEBIAN_FRONTEND=noninteractive", "dpkg", "--install"}, files...)...)
	return err
}

// NewerSystemctl is a command for the bed: systemctl of systemd 253 or later, which knows more than the bed's own where that is
// older. It is empty where there is none.
func (b *Bed) NewerSystemctl(ctx context.Context) ([]string, error) {
	const place = "/opt/newer-systemd"
	said, err := b.Run(ctx, "systemctl", "--version")
	if err != nil {
		return nil, err
	}
	if version := 0; true {
		if _, err := fmt.Sscanf(said, "systemd %d", &version); err != nil {
			return nil, fmt.Errorf("the version of systemd in %q: %w", said, err)
		}
		if version >= 253 {
			return []string{"systemctl"}, nil
		}
	}
	packages, _ := filepath.Glob(filepath.Join(cacheDir(), "packages/backports/*.deb"))
	for _, p := range packages {
		if _, err := b.Run(ctx, "dpkg-deb", "--extract", p, place); err != nil {
			return nil, err
		}
	}
	if len(packages) == 0 {
		return nil, nil
	}
	libraries, err := b.Run(ctx, "sh", "-c", "dirname "+place+"/usr/lib/*/systemd/libsystemd-shared-*.so")
	return []string{"env", "LD_LIBRARY_PATH=" + libraries, place + "/bin/systemctl"}, err
}

// AddUsers makes accounts, each with a home directory and a password.
func (b *Bed) AddUsers(ctx context.Context, names ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list strings.Builder
	for _, name := range names {
		password := strings.ToLower(rand.Text()[:12])
		b.passwords[name] = password
		fmt.Fprintf(&list, "%s:%s\n", name, password)
	}
	err := b.script(ctx, b.log, `for name; do useradd --create-home --shell /bin/bash "$name"; done`, names...)
	if err != nil {
		return fmt.Errorf("make accounts: %w", err)
	}
	cmd := b.Cmd(ctx, "chpasswd")
	cmd.Stdin = strings.NewReader(list.String())
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("give the accounts passwords: %w", err)
	}
	return nil
}

// Install builds the product and puts it into a bare bed as an admin would, by make install. It enables nothing. The
// configuration is the shipped one, the single-user command of the cache, and the TOML given.
func (b *Bed) Install(ctx context.Context, config string) error {
	if !inGuest() { // whose program comes from where the product was built
		if err := Build(ctx); err != nil {
			return err
		}
	}
	command := fmt.Sprintf("[spawner]\ncmd = [%q]\n", SingleUser())
	for name, text := range map[string]string{"50-testbed.toml": command, "60-options.toml": config} {
		if text == "" {
			continue
		}
		if err := b.WriteFile(ctx, "/etc/jupyterhub/jupyterhub.toml.d/"+name, text, 0o644); err != nil {
			return fmt.Errorf("configure the product: %w", err)
		}
	}
	if err := b.script(ctx, b.log, `make --silent -C /usr/src/jupyterhub install PREFIX=/usr DESTDIR=`); err != nil {
		return fmt.Errorf("install the product: %w", err)
	}
	return nil
}

// Build makes the programs in bin/, once for all that ask at the same time.
func Build(ctx context.Context) error {
	bin := filepath.Join(sourceDir(), "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make a place for the programs: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the build: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the build: %w", err)
	}
	make := exec.CommandContext(ctx, "make", "--no-print-directory", "-C", sourceDir(), "build")
	if out, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("build the product: %w\n%s", err, out)
	}
	return nil
}

// AwaitHub waits until the hub answers through the proxy.
func (b *Bed) AwaitHub(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := &http.Client{Transport: b.Transport()}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, URL+"hub/health", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s answers %s", req.URL, resp.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the hub: %w", err)
		case <-time.After(50 * time.Millisecond): // a proxy without its hub has nobody to tell it when to ask again
		}
	}
}
