# JupyterHub for machines with systemd. `make` lists what can be made; README.md says what for.

PREFIX ?= /usr/local
DESTDIR ?=
# Which pam.d/jupyterhub to install: debian, fedora or arch.
DISTRIBUTION ?= $(if $(wildcard /etc/arch-release),arch,$(if $(wildcard /etc/redhat-release /etc/fedora-release),fedora,debian))
# Where the Python environments of the tests and the demo are kept.
export CACHE ?= /var/cache/jupyterhubd
PORT ?= 8000
USERS ?= 1
CHECK_SECONDS ?= 120

RELEASE := 0.1.0
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null)
VERSION ?= $(RELEASE)$(if $(COMMIT),+g$(COMMIT))
PROGRAMS := $(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.go))))

UNITS := $(patsubst units/%,%,$(wildcard $(addprefix units/*.,mount service slice socket target timer) units/*.d/*.conf units/*/*.preset))

GO ?= go
GOBUILD := $(GO) build -trimpath -buildvcs=false -ldflags '-X jupyterhubd/hub.Version=$(VERSION)'

bindir = $(PREFIX)/bin
libexecdir = $(PREFIX)/libexec/jupyterhub
unitdir = $(PREFIX)/lib/systemd/system
mandir = $(PREFIX)/share/man
docdir = $(PREFIX)/share/doc/jupyterhub
labextensions = $(PREFIX)/share/jupyter/labextensions
to = $(DESTDIR)

# Packages of a Debian host, by what needs them.
BUILD_PACKAGES := gcc libc6-dev libpam0g-dev
BED_PACKAGES := dbus iproute2 libpam-systemd libnss-systemd passwd procps python3-venv systemd util-linux
TEST_PACKAGES := chromium curl man-db openssl sudo
# A kernel that is an ordinary program, and what loads its modules.
UML_PACKAGES := e2fsprogs kmod user-mode-linux
# Of throw-away machines alone: they bring daemons, or another systemd.
GUEST_PACKAGES := at cron systemd/backports libsystemd-shared/backports \
	libassuan0 libgpgme11 libsubid4 libyajl2 conmon crun netavark golang-github-containers-image golang-github-containers-common podman

.PHONY: help build install demo test check release-check uml bench deb rpm arch clean environments packages-build packages-demo packages-test packages-uml

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

build: $(PROGRAMS:%=bin/%) ## every program, in bin/

# The one program that links cgo is the one that speaks to PAM. It runs C as root, which is harder to abuse where nothing has a
# fixed address.
bin/jupyterhub-pam: CGO_ENABLED = 1
bin/jupyterhub-pam: BUILDMODE = -buildmode=pie
bin/%: FORCE
	@mkdir -p bin
	CGO_ENABLED=$(or $(CGO_ENABLED),0) $(GOBUILD) $(BUILDMODE) -o $@ ./cmd/$*

FORCE:

install: ## what bin/ holds, units, configuration and documentation (DESTDIR=, PREFIX=/usr/local)
	@[ -x bin/jupyterhub ] || { echo 'Nothing is built yet: say "make build" first.' >&2; exit 1; }
	install -d '$(to)$(bindir)' '$(to)$(libexecdir)'
	install -m 0755 bin/jupyterhub '$(to)$(bindir)/'
	install -m 0755 $(filter-out bin/jupyterhub,$(PROGRAMS:%=bin/%)) '$(to)$(libexecdir)/'
	@# The proxy's second name. What somebody else put there, as npm does, stays.
	if [ -e '$(to)$(bindir)/configurable-http-proxy' ] && ! readlink '$(to)$(bindir)/configurable-http-proxy' | grep -q '/jupyterhub-proxy$$'; then \
		echo '$(bindir)/configurable-http-proxy is not ours and stays; ours is $(libexecdir)/jupyterhub-proxy.' >&2; \
		else ln -srf '$(to)$(libexecdir)/jupyterhub-proxy' '$(to)$(bindir)/configurable-http-proxy'; fi
	for file in $(UNITS); do case $$file in \
		sysusers.d/*|tmpfiles.d/*) place='$(to)$(PREFIX)/lib' ;; \
		system-preset/*) place='$(to)$(PREFIX)/lib/systemd' ;; \
		*) place='$(to)$(unitdir)' ;; esac; \
		install -d "$$(dirname "$$place/$$file")"; \
		sed 's|/usr/libexec/jupyterhub/|$(libexecdir)/|; s|/usr/bin/jupyterhub |$(bindir)/jupyterhub |' "units/$$file" >"$$place/$$file"; \
		chmod 0644 "$$place/$$file"; done
	install -d '$(to)/etc/jupyterhub/jupyterhub.toml.d' '$(to)/etc/pam.d' '$(to)$(docdir)/examples'
	install -m 0644 etc/jupyterhub/jupyterhub.toml '$(to)$(docdir)/examples/'
	install -m 0644 units/examples/* '$(to)$(docdir)/examples/'
	@# What an admin may have edited stays as it is.
	[ -e '$(to)/etc/jupyterhub/jupyterhub.toml' ] || install -m 0644 etc/jupyterhub/jupyterhub.toml '$(to)/etc/jupyterhub/'
	[ -e '$(to)/etc/pam.d/jupyterhub' ] || install -m 0644 etc/pam.d/$(DISTRIBUTION)/jupyterhub '$(to)/etc/pam.d/'
	for page in $(wildcard docs/man/*.[1-8]); do \
		install -d "$(to)$(mandir)/man$${page##*.}"; install -m 0644 "$$page" "$(to)$(mandir)/man$${page##*.}/"; done
	@# Where every JupyterLab of the machine looks for extensions, with a PREFIX of /usr or /usr/local.
	for extension in presence time-left; do \
		install -d "$(to)$(labextensions)/jupyterhub-$$extension/static"; \
		install -m 0644 "hub/web/labextension/$$extension/package.json" "$(to)$(labextensions)/jupyterhub-$$extension/"; \
		install -m 0644 "hub/web/labextension/$$extension/static/"* "$(to)$(labextensions)/jupyterhub-$$extension/static/"; done
	install -d '$(to)$(PREFIX)/share/bash-completion/completions' '$(to)$(PREFIX)/share/zsh/site-functions' \
		'$(to)$(PREFIX)/share/fish/vendor_completions.d'
	bin/jupyterhub completion bash >'$(to)$(PREFIX)/share/bash-completion/completions/jupyterhub'
	bin/jupyterhub completion zsh >'$(to)$(PREFIX)/share/zsh/site-functions/_jupyterhub'
	bin/jupyterhub completion fish >'$(to)$(PREFIX)/share/fish/vendor_completions.d/jupyterhub.fish'
	@# On a running machine its accounts, directories and units are there at once. For a package, its scripts do this.
	[ -n '$(to)' ] || [ ! -d /run/systemd/system ] || \
		{ systemd-sysusers jupyterhub.conf && systemd-tmpfiles --create jupyterhub.conf && systemctl daemon-reload; }

demo: packages-demo build environments ## a throw-away machine with a hub to log in to (PORT=8000, USERS=1)
	@$(GO) build -o bin/.demo ./test/testbed/demo
	@exec bin/.demo --port '$(PORT)' --users '$(USERS)'

test: packages-test build environments ## everything that a change has to pass: half an hour
	$(GO) test -race -timeout 10m $$($(GO) list ./... | grep -v -E '/test/(bench|browser|compat|system|testbed)')
	$(GO) test -count=1 -p 1 -timeout 40m $(addsuffix /...,$(wildcard $(addprefix ./test/,testbed bench compat browser system)))

check: packages-build ## the quick part, CHECK_SECONDS=120 at most: gofmt, vet and unit tests
	@wrong=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); [ -z "$$wrong" ] || { echo "gofmt -w $$wrong"; exit 1; }
	@timeout $(CHECK_SECONDS) sh -xec '$(GO) vet ./...; $(GO) test -short -vet=off ./...' || { code=$$?; \
		[ $$code -ne 124 ] || echo 'make check has to be quick: what takes long belongs to make test, behind testing.Short.' \
			'With an empty build cache on a slow machine: make check CHECK_SECONDS=300'; exit $$code; }

release-check: test ## what is longer: fuzzing, power that fails at any moment, a hundred thousand connections, upgrades with thousands of WebSockets, a thousand deaths and deeds in any order, ten thousand starts, every conversation on the whole way, User Mode Linux, the Debian package
	@for package in $$($(GO) list ./...); do \
		$(GO) test -list '^Fuzz' $$package | grep '^Fuzz' | while read -r target; do \
			echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime 1m $$package || exit 1; done || exit 1; done
	PROXY_SOAK=100000 $(GO) test -count=1 -timeout 90m -run 'TestNothingLeaks|TestPeersThatVanish' ./proxy
	RELEASE=1 $(GO) test -count=1 -run 'PowerFails' ./hub/store
	RELEASE=1 $(GO) test -count=1 -run 'Outlive|DeathsInAnyOrder' ./test/system
	RELEASE=1 $(GO) test -count=1 -run 'WholeWay' ./test/compat
	$(MAKE) uml
	$(MAKE) bench BENCHFLAGS='-only churn -starts 10000 -strict'
	$(MAKE) deb
	DEB=dist/jupyterhubd_$(RELEASE)_$$(dpkg --print-architecture).deb $(GO) test -count=1 -run TestDebianPackage ./test/system

uml: packages-uml build environments ## plays that need cgroup v2 whole, on a kernel of their own (User Mode Linux)
	GUEST=1 $(GO) test -count=1 -v -timeout 45m -run TestPlaysOnAGuest ./test/system

bench: packages-demo build environments ## measurements, each beside its reference (BENCHFLAGS="-only spawn,api")
	@test/bench/references
	@$(GO) build -o bin/.bench ./test/bench
	@exec bin/.bench $(BENCHFLAGS)

deb: packages-build ## a Debian package, in dist/
	packaging/package deb '$(RELEASE)'

rpm: packages-build ## an RPM package, in dist/
	packaging/package rpm '$(RELEASE)'

arch: packages-build ## a package for Arch Linux, in dist/
	packaging/package arch '$(RELEASE)'

clean: ## remove what was built here
	rm -rf bin dist

environments: packages-demo
	@test/testbed/python/build
	@test/bench/references chp debian
	@test/browser/axe
	@GO='$(GO)' test/testbed/pebble

packages-build:
	@packaging/host-packages 'to build' $(BUILD_PACKAGES)
packages-demo: packages-build
	@packaging/host-packages 'to boot a throw-away machine' $(BED_PACKAGES)
packages-uml: packages-demo
	@packaging/host-packages 'to boot User Mode Linux' $(UML_PACKAGES)
packages-test: packages-demo
	@packaging/host-packages 'for the tests' $(TEST_PACKAGES)
	@test/testbed/packages $(GUEST_PACKAGES)
