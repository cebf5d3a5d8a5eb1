// Command singleuser stands in for jupyterhub-singleuser in measurements: a server that is up within milliseconds, so that
// what is measured is the hub and not Python.
//
// It owns the part of the single-user contract that a hub waits for: it listens where its hub says (--ServerApp.sock= on its
// command line, or the address in JUPYTERHUB_SERVICE_URL) and answers everything with 200 and X-JupyterHub-Version.
//
// It must not know who measures, nor call the hub: the bare unit that a start is compared with has none.
//
// Way in: the command of a unit. Way out: SIGTERM.
//
// Caveat: it lets everybody in.
package main
