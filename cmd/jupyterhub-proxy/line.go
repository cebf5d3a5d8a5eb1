package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"jupyterhubd/hub"
	"jupyterhubd/proxy"
)

// chpName is the name under which the program is configurable-http-proxy, and chpVersion the one that it goes by.
const (
	chpName    = "configurable-http-proxy"
	chpVersion = "5.3.0"
)

// line is configurable-http-proxy's command line with what we add to it.
type line struct {
	public, api, metrics door
	tls, apiTLS          keys
	clientTLS            keys
	tlsProtocol          string

	defaultTarget, errorTarget, errorPath string
	redirectPort, redirectTo              int
	pidFile, logLevel                     string

	noForward, noPrepend, noPrefix, autoRewrite, changeOrigin bool
	protocolRewrite                                           string
	headers                                                   http.Header
	insecure, hostRouting                                     bool
	timeout, proxyTimeout, keepAlive                          time.Duration

	stateFile     string
	trusted       []netip.Prefix
	ignoreControl bool
	ignorePolls   bool
	silence       time.Duration
	bounds        proxy.Bounds

	warnings []string // of options that do nothing here
}

// door is where something listens.
type door struct {
	ip, socket string
	port       int // -1: not said
}

// keys are the files of one side's TLS.
type keys struct {
	key, cert, ca   string
	ask, mustVerify bool
}

// option is a row of the command line. to is where its value goes: *string, *bool, *int (a port), *time.Duration (in
// milliseconds), or a function that reads it. why says of one that does nothing what is so without it.
type option struct {
	name, arg string
	to        any
	says      string
	why       string
}

// options is the whole command line: configurable-http-proxy's, in its order, and ours below.
func (l *line) options() []option {
	return slices.Concat(l.doorOptions(), l.tlsOptions(), l.passingOptions(), l.ownOptions())
}

func (l *line) doorOptions() []option {
	return []option{
		{"ip", "ADDRESS", &l.public.ip, "address of the public door; all of them without it", ""},
		{"port", "N", &l.public.port, "port of the public door; 8000 without it", ""},
		{"socket", "PATH", &l.public.socket, "Unix socket for the public door, in the place of address and port", ""},
		{"api-ip", "ADDRESS", &l.api.ip, "address of the API; localhost without it", ""},
		{"api-port", "N", &l.api.port, "port of the API; the one after --port without it", ""},
		{"api-socket", "PATH", &l.api.socket, "Unix socket for the API, in the place of address and port", ""},
		{"metrics-ip", "ADDRESS", &l.metrics.ip, "address of the metrics; all of them without it", ""},
		{"metrics-port", "N", &l.metrics.port, "port of the metrics; none without it", ""},
		{"metrics-socket", "PATH", &l.metrics.socket, "Unix socket for the metrics, in the place of address and port", ""},
		{"redirect-port", "N", &l.redirectPort, "port where plain HTTP is redirected to HTTPS", ""},
		{"redirect-to", "N", &l.redirectTo, "port that --redirect-port leads to; --port without it", ""},
		{"pid-file", "FILE", &l.pidFile, "is written with the process id, and removed at the end", ""},
		{"log-level", "LEVEL", &l.logLevel, "debug, info, warn or error", ""},
	}
}

func (l *line) tlsOptions() []option {
	ciphers := "the ciphers are Go's, all with forward secrecy and authentication"
	return []option{
		{"ssl-key", "FILE", &l.tls.key, "private key of the public door, in PEM", ""},
		{"ssl-cert", "FILE", &l.tls.cert, "certificate of the public door with its chain, in PEM", ""},
		{"ssl-ca", "FILE", &l.tls.ca, "authorities of clients' certificates, in PEM", ""},
		{"ssl-request-cert", "", &l.tls.ask, "ask clients for a certificate", ""},
		{"ssl-reject-unauthorized", "", &l.tls.mustVerify, "with --ssl-request-cert: serve nobody without a good one", ""},
		{"ssl-protocol", "NAME", &l.tlsProtocol, "TLSv1_2 or TLSv1_3 alone, or TLS for both", ""},
		{"ssl-ciphers", "LIST", new(string), "", ciphers},
		{"ssl-allow-rc4", "", new(bool), "", "RC4 is broken and not there"},
		{"ssl-dhparam", "FILE", new(string), "", "key exchange is over elliptic curves, which need no parameters"},
		{"api-ssl-key", "FILE", &l.apiTLS.key, "private key of the API, in PEM", ""},
		{"api-ssl-cert", "FILE", &l.apiTLS.cert, "certificate of the API, in PEM", ""},
		{"api-ssl-ca", "FILE", &l.apiTLS.ca, "authorities of the API's clients, in PEM", ""},
		{"api-ssl-request-cert", "", &l.apiTLS.ask, "ask the API's clients for a certificate", ""},
		{"api-ssl-reject-unauthorized", "", &l.apiTLS.mustVerify, "with --api-ssl-request-cert: serve nobody without a good one", ""},
		{"client-ssl-key", "FILE", &l.clientTLS.key, "private key that https targets are shown, in PEM", ""},
		{"client-ssl-cert", "FILE", &l.clientTLS.cert, "certificate that https targets are shown, in PEM", ""},
		{"client-ssl-ca", "FILE", &l.clientTLS.ca, "authorities of https targets, in PEM; the system's without it", ""},
		{"client-ssl-request-cert", "", &l.clientTLS.ask, "changes nothing: a target always shows its certificate", ""},
		{"client-ssl-reject-unauthorized", "", &l.clientTLS.mustVerify, "changes nothing: it always has to be good, unless --insecure is given", ""},
		{"insecure", "", &l.insecure, "believe every certificate of an https target", ""},
	}
}

func (l *line) passingOptions() []option {
	statsd := "statsd is not spoken, as by configurable-http-proxy since its version 5: Prometheus reads --metrics-port"
	return []option{
		{"default-target", "URL", &l.defaultTarget, "where requests without a route go", ""},
		{"error-target", "URL", &l.errorTarget, "server that makes error pages: GET URL/STATUS?url=PATH", ""},
		{"error-path", "DIR", &l.errorPath, "directory of error pages: STATUS.html or error.html", ""},
		{"host-routing", "", &l.hostRouting, "the first segment of a route is a host", ""},
		{"no-x-forward", "", &l.noForward, "add no X-Forwarded-* headers, and leave those that come", ""},
		{"no-prepend-path", "", &l.noPrepend, "leave the path of a target out", ""},
		{"no-include-prefix", "", &l.noPrefix, "cut the part of a path off that its route matched", ""},
		{"auto-rewrite", "", &l.autoRewrite, "make redirects to the target's host redirects to the client's", ""},
		{"change-origin", "", &l.changeOrigin, "send the target's host as Host", ""},
		{"protocol-rewrite", "NAME", &l.protocolRewrite, "make redirects to the target's host ones to http or https", ""},
		{"custom-header", "NAME:VALUE", l.addHeader, "header that every request upstream gets; may be given again", ""},
		{"timeout", "MS", &l.timeout, "drop clients that say and take nothing for so long; WebSockets may", ""},
		{"proxy-timeout", "MS", &l.proxyTimeout, "answer 503 when a target takes so long to begin its answer", ""},
		{"keep-alive-timeout", "MS", &l.keepAlive, "how long a client may rest between two requests; 10 minutes without it", ""},
		{"storage-backend", "MODULE", new(string), "", "a module of Node cannot be loaded, so the table is in memory; --state-file keeps it over a restart"},
		{"statsd-host", "HOST", new(string), "", statsd},
		{"statsd-port", "N", new(string), "", statsd},
		{"statsd-prefix", "NAME", new(string), "", statsd},
	}
}

func (l *line) ownOptions() []option {
	return []option{
		{"state-file", "FILE", &l.stateFile, "keep the table over a restart", ""},
		{"trusted-proxy", "NETWORK", l.addTrusted, "believe X-Forwarded-* of proxies there; may be given again; \"none\" for nobody, loopback without it", ""},
		{"ignore-control-frames", "", &l.ignoreControl, "pings and pongs of a WebSocket are no activity, so that idle tabs can be culled", ""},
		{"ignore-polls", "", &l.ignorePolls, "what open pages of JupyterLab ask for by themselves is no activity either", ""},
		{"websocket-silence", "MS", &l.silence, "close a WebSocket whose client has said nothing for so long, not even the pong to a ping; never without it", ""},
		{"max-connections-per-client", "N", bound(&l.bounds.ClientConnections), "open connections of one address; 4096 without it, 0 is no bound", ""},
		{"request-rate-per-client", "N", bound(&l.bounds.ClientRate), "requests a second of one address; no bound without it", ""},
		{"max-requests-per-user", "N", bound(&l.bounds.UserRequests), "requests under way to all routes of a user, or of a service, whom a route's data names; no bound without it", ""},
		{"max-websockets-per-user", "N", bound(&l.bounds.UserWebSockets), "open WebSockets to these; no bound without it", ""},
		{"request-rate-per-user", "N", bound(&l.bounds.UserRate), "requests a second to these; no bound without it", ""},
	}
}

// errVersion is not one: the version was asked for.
var errVersion = errors.New("the version")

// readLine reads the command line. The error is a sentence, pflag.ErrHelp or errVersion.
func readLine(args []string) (*line, error) {
	l := &line{public: door{port: -1}, api: door{port: -1}, metrics: door{port: -1}, redirectPort: -1, redirectTo: -1,
		logLevel: "info", headers: http.Header{}, bounds: proxy.Bounds{ClientConnections: 4096, Memory: 256 << 20}}
	fs := pflag.NewFlagSet(chpName, pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	for _, o := range l.options() {
		o.declare(fs)
	}
	version := fs.BoolP("version", "V", false, "")
	if err := fs.Parse(args); err == pflag.ErrHelp {
		return nil, err
	} else if err != nil {
		return nil, hub.Errorf(hub.Invalid, "%w; --help lists what there is", err)
	}
	if *version {
		return nil, errVersion
	}
	if fs.NArg() > 0 {
		return nil, hub.Errorf(hub.Invalid, "unexpected argument %q: there are only options, which --help lists", fs.Arg(0))
	}
	for _, o := range l.options() {
		if fs.Changed(o.name) && o.why != "" {
			l.warnings = append(l.warnings, fmt.Sprintf("--%s does nothing: %s", o.name, o.why))
		}
	}
	if !fs.Changed("trusted-proxy") {
		l.trusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return l, l.check(fs)
}

func (o option) declare(fs *pflag.FlagSet) {
	switch to := o.to.(type) {
	case *string:
		fs.StringVar(to, o.name, *to, o.says)
	case *bool:
		fs.BoolVar(to, o.name, false, o.says)
	case *int:
		fs.Func(o.name, o.says, func(s string) (err error) {
			*to, err = strconv.Atoi(s)
			if err != nil || *to < 0 || *to > 65535 {
				return fmt.Errorf("a port is a number from 0 to 65535")
			}
			return nil
		})
	case *time.Duration:
		fs.Func(o.name, o.says, func(s string) error {
			ms, err := strconv.ParseInt(s, 10, 32)
			if err != nil || ms < 0 {
				return fmt.Errorf("it is a number of milliseconds")
			}
			*to = time.Duration(ms) * time.Millisecond
			return nil
		})
	case func(string) error:
		fs.Func(o.name, o.says, to)
	}
}

// bound reads a number of at most a million, as rates are counted in nanoseconds.
func bound(to *int) func(string) error {
	return func(s string) (err error) {
		*to, err = strconv.Atoi(s)
		if err != nil || *to < 0 || *to > 1_000_000 {
			return fmt.Errorf("it is a number from 0, no bound, to 1000000")
		}
		return nil
	}
}

func (l *line) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	name = http.CanonicalHeaderKey(strings.TrimSpace(name))
	if !ok || name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }) {
		return fmt.Errorf("a colon was expected between a header's name and its value")
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		return fmt.Errorf("a header's value is one line")
	}
	l.headers[name] = []string{strings.TrimSpace(value)}
	return nil
}

func (l *line) addTrusted(s string) error {
	if s == "none" {
		return nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		l.trusted = append(l.trusted, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		return nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("it is an address, a network such as 10.0.0.0/8, or none")
	}
	l.trusted = append(l.trusted, p.Masked())
	return nil
}

// check looks at what options say together.
func (l *line) check(fs *pflag.FlagSet) error {
	for _, at := range []string{"", "api-", "metrics-"} {
		if fs.Changed(at+"socket") && (fs.Changed(at+"ip") || fs.Changed(at+"port")) {
			return hub.Errorf(hub.Invalid, "--%ssocket cannot be used with --%sip or --%sport: give one or the other", at, at, at)
		}
	}
	l.logLevel = strings.ToLower(l.logLevel)
	switch {
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, l.logLevel):
		return hub.Errorf(hub.Invalid, "--log-level %s is none of debug, info, warn and error", l.logLevel)
	case l.protocolRewrite != "" && l.protocolRewrite != "http" && l.protocolRewrite != "https":
		return hub.Errorf(hub.Invalid, "--protocol-rewrite %s is neither http nor https", l.protocolRewrite)
	case l.errorTarget != "" && l.errorPath != "":
		return hub.Errorf(hub.Invalid, "--error-target and --error-path exclude each other: pick one")
	case l.redirectPort >= 0 && l.tls.cert == "":
		return hub.Errorf(hub.Invalid, "--redirect-port leads to HTTPS, which needs a certificate: give --ssl-key and --ssl-cert")
	case !slices.Contains([]string{"", "TLS", "SSLv23", "TLSv1_2", "TLSv1_3"}, l.tlsProtocol):
		return hub.Errorf(hub.Invalid, "--ssl-protocol %s is not served: it is TLSv1_2, TLSv1_3, or TLS for both", l.tlsProtocol)
	}
	for prefix, k := range map[string]keys{"": l.tls, "api-": l.apiTLS, "client-": l.clientTLS} {
		if (k.key == "") != (k.cert == "") {
			return hub.Errorf(hub.Invalid, "--%sssl-key and --%sssl-cert go together: give both", prefix, prefix)
		}
	}
	if l.errorPath != "" {
		if _, err := os.Stat(l.errorPath); err != nil {
			l.warnings = append(l.warnings, fmt.Sprintf("--error-path %s cannot be read, so error pages are plain", l.errorPath))
		}
	}
	return nil
}
