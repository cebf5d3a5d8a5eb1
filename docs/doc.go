// Package docs is the manual. Its tests hold the manual to the code.
//
// It owns architecture.md, security.md, configuration.md, operations.md, compatibility.md, pains.md, benchmarks.md, dependencies.md,
// decisions/ and man/.
//
// It must not hold code, and nothing imports it.
//
// Way in: README.md at the root leads here. Way out: `make install` puts man/ where man(1) looks.
//
// Caveat: configuration.md and man/jupyterhub.toml.5 are made by hub/config's tests, man/jupyterhub.1 by cmd/jupyterhub's.
package docs
