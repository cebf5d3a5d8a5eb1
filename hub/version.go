package hub

// APIVersion is the JupyterHub release whose REST API, OAuth and single-user contract the hub speaks. Single-user servers
// parse it (PEP 440) and compare its first number with their own.
const APIVersion = "6.1.1"

// Version is the release of this program. The build stamps it with -ldflags -X.
var Version = "0.1.0-dev"
