package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jupyterhubd/test/testbed"
)

// recipe returns what docs/operations.md has in its one block of a language.
func recipe(t *testing.T, language string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n```"+language+"\n")
	text, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended || strings.Contains(rest, "\n```"+language+"\n") {
		t.Fatalf("docs/operations.md has not one block of %s", language)
	}
	return text
}

// Alice works behind nginx, which is set up as docs/operations.md says: it ends TLS, her notebook's WebSocket passes, and the hub knows
// that her browser speaks https.
func TestBehindNginx(t *testing.T) {
	h := visit(t)
	program := filepath.Join(testbed.Environment("bench"), "debian/usr/sbin/nginx")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("nginx is not there, test/bench/references debian fetches it: %v", err)
	}
	const certificate, settings = "/etc/jupyterhub/tls", "/etc/jupyterhub/play-nginx.conf"
	h.run("sh", "-c", `mkdir -p "$1" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hub.example.org \
		-keyout "$1/privkey.pem" -out "$1/fullchain.pem" 2>/dev/null`, "sh", certificate)
	var around strings.Builder
	around.WriteString("daemon off;\nuser root;\npid /run/play-nginx/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		around.WriteString(kind + "_temp_path /run/play-nginx/" + kind + ";\n")
	}
	if err := h.WriteFile(t.Context(), settings, around.String()+recipe(t, "nginx")+"}\n", 0o644); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if out, err := h.Run(ctx, "sh", "-c", "systemctl stop play-nginx; rm -rf "+certificate+" "+settings); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	h.configure(recipe(t, "toml"))
	h.run("systemd-run", "--quiet", "--collect", "--unit=play-nginx", "--property=RuntimeDirectory=play-nginx", program, "-c", settings)
	h.eventually("nginx listens", func() bool {
		c, err := h.Dial(t.Context(), "tcp", "127.0.0.1:443")
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	outside, err := h.Forward(t.Context(), "127.0.0.1:0", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "https://" + outside.String() + "/"
	x := h.open(1280, 800)
	x.trustsEverybody()
	x.visit("")
	x.logIn("alice")
	x.sees(".jp-LauncherCard[data-category=Notebook]")
	x.writesCell("print(6 * 7)")
	if out := x.text(".jp-OutputArea-output pre"); out != "42" {
		t.Errorf("the cell prints %q", out)
	}
	x.mustHideCookies()
}
