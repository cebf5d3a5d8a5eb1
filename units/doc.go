// Package units is the unit files as an admin gets them: services, sockets, the timer, the target, slices, and what sysusers.d,
// tmpfiles.d and the presets say. There is no code in it but the tests that hold the files to the house's rules.
//
// It owns the doors (who may knock on which socket), the sandbox of each daemon, and the life of all of them together. It
// must not know what a daemon does behind its door. Way in: `make install`, which rewrites /usr for another PREFIX. Way out:
// systemd.
//
// Caveats: everything here has to be understood by systemd 252. Directives are sorted; a hole in a sandbox has its reason in
// a comment. No service has a RuntimeDirectory= over the directory of a socket, and none that looks at its peers has
// PrivateUsers=.
package units
