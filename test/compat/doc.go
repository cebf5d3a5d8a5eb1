// Package compat lets programs that were written for JupyterHub run against our hub: the real jupyterhub-singleuser of two
// releases with its JupyterLab, the real jupyterhub-idle-culler, jupyter-server-proxy, and services with JupyterHub's own library
// in Tornado and in Flask, all from PyPI and unmodified, and a generic OAuth client. And it lets our proxy stand in for
// configurable-http-proxy: beside the real one, from npm, in the same conversations, and under the real JupyterHub. And it holds
// conversations with a real JupyterHub and with ours, room against room and on the whole way on a machine with systemd, and knows
// every difference by name.
//
// It owns the plays of these programs and the least of a house that they need: store, porter, hall, API, OAuth, workshop and
// proxy as they are, with processes of ours in the place of systemd's units.
//
// It must not know a browser, nor what a unit is made of: test/browser and test/system do.
//
// Way in: go test. Way out: the Python environments and the configurable-http-proxy that `make environments` fetches.
//
// Caveats: servers run as whoever runs the tests, with a home directory of their own. What is said to both hubs is written in
// testdata/talks (talk_test.go says how to read it); what may differ is the table in allowed_test.go, from which a part of
// docs/compatibility.md is made: go test -run TestDifferencesAreDocumented -update.
package compat
