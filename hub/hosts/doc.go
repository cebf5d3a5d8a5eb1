// Package hosts says at which host of the world what is found, when users and services have hosts of their own below the hub's
// (subdomain_host): "https://hub.example.org" for the hub, "https://alice.hub.example.org" for alice's servers. A browser keeps
// apart what comes from different hosts, as it does not for different paths of one.
//
// It owns the spelling of a name as one label of a host, by either of JupyterHub's hooks, and what is a host of ours.
//
// It must not know requests, routes or cookies, nor who exists: every name has a host.
//
// Way in: New, with what was configured; the zero Hosts is one host for all, and says "" wherever an origin is asked for, so that an
// address made of it is a path. Way out: origins and names of hosts.
//
// Caveats: the hook "idna" gives every name a label of its own, but "legacy" does not: there names that differ in case share a
// host, and so do all services. Names of hosts know no case: what is compared is lower-case.
package hosts
