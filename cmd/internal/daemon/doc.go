// Package daemon is what the mains of all our daemons share: how a program of ours lives under systemd.
//
// It owns the life around the work: the flags --config, --debug and --version, the listeners that systemd hands over by
// name, the notifications (READY, STATUS, RELOADING, STOPPING, MAINPID), the file-descriptor store, the watchdog, memory that a daemon at rest gives back, the logger for the journal, and the signals:
// SIGTERM and SIGINT end the context, SIGHUP reloads, a second SIGTERM kills.
//
// It must not know what a program does: no configuration, no protocol, no net/http, since the two root daemons link it.
//
// Way in: Main, called by main functions and by nobody else. Way out: Program.Run, which works until its context ends.
//
//	func main() {
//		os.Exit(daemon.Main(daemon.Program{
//			Name:  "jupyterhub-spawnd",
//			Doors: map[string]string{"spawnd": "jupyterhub-spawnd.socket"},
//			Run:   run,
//		}))
//	}
//
// Caveat: nothing here makes a listening socket. A program that is started without its sockets says which unit has them
// and ends, so that a door never stands where systemd does not guard it. The proxy in the place of configurable-http-proxy
// brings its own command line and opens its own doors.
package daemon
