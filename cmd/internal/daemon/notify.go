package daemon

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ready tells systemd that the doors are being served, with one line for `systemctl status`.
func (d *Daemon) Ready(format string, args ...any) {
	d.notify("READY=1\n" + statusLine(format, args...))
}

// Status changes the line that `systemctl status` shows.
func (d *Daemon) Status(format string, args ...any) { d.notify(statusLine(format, args...)) }

// statusLine keeps a text to one line: a newline would begin another assignment of sd_notify(3).
func statusLine(format string, args ...any) string {
	return "STATUS=" + strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
}

// notify speaks to systemd where it listens. A program that is run by hand has nobody to tell.
func (d *Daemon) notify(state string) {
	if os.Getenv(notifyVariable) == "" {
		return
	}
	if err := tell(state); err != nil {
		d.Log.Warn().Err(err).Msg("systemd was not told, ignoring")
	}
}

// OnReload says what reloading means: to read the configuration again and take it over whole, or to refuse it and change
// nothing. SIGHUP and Reload do it.
func (d *Daemon) OnReload(reload func(context.Context) error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.reload = reload
}

// Reload reloads now, one call at a time, telling systemd before and after. Without OnReload it does nothing.
func (d *Daemon) Reload(ctx context.Context) error {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if d.reload == nil {
		return nil
	}
	d.notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonic().Microseconds()))
	defer d.notify("READY=1")
	return d.reload(ctx)
}

// monotonic is the clock that sd_notify(3) wants beside RELOADING=1. From systemd 253 on it tells one reload from another.
func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

func (d *Daemon) reloadOnHangup(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := d.Reload(ctx); err != nil {
			d.Log.Error().Err(err).Msg("not reloaded, the old configuration stays")
			continue
		}
		d.Log.Info().Msg("reloaded")
	}
}
