package browser

import (
	"context"
	"fmt"
	"testing"
)

// left is the number that the page counts down, NaN where it shows none.
const left = `Number(/^(\d+) s left until this start is given up$/.exec(document.querySelector("#progress-countdown")?.textContent)?.[1])`

// Alice's server takes its time. She sees the time run down until it is given up, and half way that it is at work; then it is ready.
func TestASlowStartCountsDown(t *testing.T) {
	h := visit(t)
	ctx := context.WithoutCancel(t.Context())
	const slow = "#!/bin/sh\nuntil [ -e /home/alice/go ]; do :; done\nexec plain \"$@\"\n"
	if err := h.WriteFile(ctx, "/usr/local/bin/slow", slow, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := h.Run(ctx, "rm", "-f", "/home/alice/go"); err != nil {
			t.Error(err)
		}
	})
	h.configure("[spawner]\nstart_timeout = \"24s\"\n[spawner.user.alice]\ncmd = [\"slow\"]\nargs = [\"{socket}\"]\n")
	x := h.open(1280, 800)
	x.visit("hub/home")
	x.logIn("alice")
	x.presses("#start")
	x.becomes(left + " <= 24")
	for range 3 {
		before := eval[float64](x, left)
		x.becomes(fmt.Sprintf("%s < %v", left, before))
	}
	x.picture("counting")
	x.mustFit("the page of a start")
	x.becomes(`/has worked for [\d.]+ seconds of processor time\. It is slow, not stuck$/.test(document.querySelector("#progress-message").textContent)`)
	if n := eval[float64](x, left); !(n > 0 && n <= 12) {
		t.Errorf("half way the page counts %v", n)
	}
	h.run("touch", "/home/alice/go")
	x.sees("#plain")
	x.mustBeQuiet("the page of a start")
}
