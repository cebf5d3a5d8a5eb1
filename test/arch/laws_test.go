package arch

// mayImport says for every package which others of this module its code imports; its tests are free. Unknown means no.
var mayImport = []struct {
	room   string
	others string
	reason string
}{
	// Nouns.
	{"hub", "", "the nouns and the errors depend on nothing, so that everything may depend on them"},

	// Furniture: used by rooms, knows none.
	{"hub/account", "hub", "what NSS says of an account is the same for whoever asks"},
	{"hub/client", "hub", "the wire types are also a stranger's way to our API"},
	{"hub/config", "hub", "configuration is translated into each part's options by mains, and by nobody else"},
	{"hub/descriptor", "", "how to get at a descriptor is the same for everybody who has to"},
	{"hub/hosts", "hub", "how a name becomes a host's is the same for everybody who leads there"},
	{"hub/credential", "hub", "the hub writes it and a user's first process reads it: it is linked by both, and carries nothing else in"},
	{"hub/rbac", "hub", "scopes are pure functions over a catalogue"},
	{"hub/crypt", "hub", "what seals knows neither where keys come from nor what is sealed"},
	{"hub/store", "hub hub/crypt", "the cellar remembers nouns and judges nothing"},
	{"hub/varlink", "hub hub/descriptor", "the wire of the locked doors is linked by root"},

	// Rooms: know the porter's actor and the furniture, never each other.
	{"hub/auth", "hub hub/hosts hub/rbac hub/store hub/varlink", "the porter says who asks; every room may look at that"},
	{"hub/auth/authtest", "hub", "the suite is for authenticators that are not ours as well"},
	{"hub/auth/pam", "hub hub/varlink", "the hub's side of a locked door knows the door alone"},
	{"hub/auth/pam/conv", "hub", "the one package with cgo is as small as it can be"},
	{"hub/auth/pam/door", "hub hub/account hub/varlink", "root's side of a login: no storage, no sessions, no HTTP"},
	{"hub/api", "hub hub/account hub/auth hub/client hub/hosts hub/rbac hub/store", "a room"},
	{"hub/oauth", "hub hub/auth hub/rbac hub/store", "a room"},
	{"hub/web", "hub hub/auth hub/hosts hub/rbac hub/store", "a room"},
	{"hub/spawner", "hub hub/credential hub/hosts hub/store hub/varlink", "the workshop is asked by rooms through interfaces of theirs"},
	{"hub/spawner/spawnertest", "hub hub/spawner", "the suite runs against the fake and against systemd"},
	{"hub/httpd", "hub hub/auth hub/client hub/varlink", "the hall gets rows of routes and does not know the rooms they lead to"},
	{"hub/httpd/httpdtest", "", "what strangers send is the same for every room's tests"},

	// Behind the doors.
	{"systemdspawner", "hub hub/varlink", "the hub's side of a locked door knows the door alone"},
	{"systemdspawner/localprocess", "hub hub/varlink", "a spawner for development knows the door alone, as anybody's would"},
	{"systemdspawner/launcher", "hub hub/account hub/credential hub/varlink", "root's side of servers: no storage, no sessions, no HTTP"},
	{"proxy", "hub hub/descriptor proxy/strict", "the proxy runs without the hub, and decides nothing that the hub decides"},
	{"proxy/client", "hub", "who edits a table needs nothing of who serves by it"},
	{"proxy/strict", "hub/descriptor", "what a request may look like is a question of RFCs"},
	{"idleculler", "hub hub/client", "the culler speaks the API like any stranger"},

	// Front doors: wiring, and the only readers of the configuration.
	{"cmd/internal/daemon", "hub hub/descriptor", "life under systemd is the same whatever the work"},
	{"cmd/jupyterhub", "hub hub/account hub/auth/pam hub/client hub/config hub/varlink systemdspawner", "the admin's command line asks at the hub's doors as the hub does; " +
		"it never opens the cellar"},
	{"cmd/jupyterhub-exec", "hub/credential", "the first process of a user's unit is already the user's: it turns a credential into an environment"},
	{"cmd/jupyterhub-idle-culler", "cmd/internal/daemon hub hub/client hub/config idleculler", "a main"},
	{"cmd/jupyterhub-pam", "cmd/internal/daemon hub hub/account hub/auth/pam hub/auth/pam/conv hub/auth/pam/door hub/config", "a main"},
	{"cmd/jupyterhub-proxy", "cmd/internal/daemon hub hub/account hub/config hub/hosts proxy", "a main"},
	{"cmd/jupyterhub-spawnd", "cmd/internal/daemon hub hub/account hub/config hub/varlink systemdspawner/launcher", "a main"},
	{"cmd/jupyterhubd", "cmd/internal/daemon hub hub/account hub/api hub/auth hub/auth/pam hub/client hub/config hub/crypt hub/hosts hub/httpd hub/oauth " +
		"hub/rbac hub/spawner hub/store hub/web proxy/client systemdspawner", "a main"},

	// What is not the product.
	{"docs", "", "documents are checked, not linked"},
	{"units", "", "unit files are checked, not linked"},
	{"test/arch", "", "laws read the source and link nothing of it"},
	{"test/testbed", "", "a machine is asked from outside, as an admin would"},
	{"test/testbed/demo", "test/testbed", "the demo is a bed and a port"},
}

// linked says what a program must not contain, however deep.
var linked = []struct {
	program string
	never   string
	reason  string
}{
	{"cmd/jupyterhub-spawnd", rootLinksNever, "root's process is small enough to be read"},
	{"cmd/jupyterhub-pam", rootLinksNever, "root's process is small enough to be read"},
	{"cmd/jupyterhub-exec", rootLinksNever + " " + modules + "godbus/dbus/v5", "it starts with every server, before the user's first line"},
	{"cmd/jupyterhubd", "hub/auth/pam/conv hub/auth/pam/door systemdspawner/launcher " + modules + "godbus/dbus/v5 " + modules + "msteinert/pam/v2",
		"the hub holds no privilege: it neither composes units nor talks to PAM"},
	{"cmd/jupyterhub-proxy", "hub/store hub/auth hub/spawner hub/httpd " + modules + "godbus/dbus/v5 go.etcd.io/bbolt",
		"the proxy goes by its table and reads no state of the hub's"},
	{"cmd/jupyterhub-idle-culler", "hub/store hub/auth hub/spawner hub/httpd go.etcd.io/bbolt", "the culler has its token and nothing else"},
	{"cmd/jupyterhub", "hub/store hub/auth hub/auth/pam/conv hub/auth/pam/door hub/httpd systemdspawner/launcher go.etcd.io/bbolt", "two writers would break the one-writer cellar"},
}

const (
	modules        = "github.com/"
	rootLinksNever = "net/http hub/store hub/auth hub/api hub/oauth hub/web hub/httpd hub/spawner hub/client go.etcd.io/bbolt"
)

// onlyIn says where a package that is not ours may be imported.
var onlyIn = []struct {
	pkg    string
	tests  bool // holds for tests too
	rooms  string
	reason string
}{
	{"os/user", true, "", "without cgo it reads /etc/passwd alone, and sites have LDAP: ask hub/account"},
	{"C", true, "hub/auth/pam/conv", "cgo is where PAM is"},
	{modules + "msteinert/pam/v2", true, "hub/auth/pam/conv", "PAM is spoken in one place"},
	{"go.etcd.io/bbolt", true, "hub/store", "one cellar, one writer"},
	{modules + "BurntSushi/toml", true, "hub/config", "one reader of the configuration"},
	{modules + "spf13/cobra", false, "cmd/jupyterhub", "command lines are made at front doors"},
	{modules + "coreos/go-systemd/v22/activation", true, "cmd/internal/daemon", "listeners come from systemd in one place"},
	{modules + "coreos/go-systemd/v22/journal", false, "cmd/internal/daemon", "the journal is written in one place"},
	{modules + "coreos/go-systemd/v22/dbus", false, "systemdspawner/launcher test/testbed test/bench", "units are started in one place, and beside it to be measured"},
	{modules + "godbus/dbus/v5", false, "systemdspawner/launcher test/testbed", "the bus is spoken in one place"},
	{modules + "rs/zerolog", false, "cmd/internal/daemon cmd/jupyterhubd cmd/jupyterhub-proxy cmd/jupyterhub-spawnd cmd/jupyterhub-pam " +
		"cmd/jupyterhub-idle-culler hub/httpd hub/spawner proxy", "logging is a role: mains, the halls and the manager's loops have it"},
}
