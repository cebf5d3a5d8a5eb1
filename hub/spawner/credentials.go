package spawner

import (
	"context"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/credential"
	"jupyterhubd/hub/store"
	"jupyterhubd/hub/varlink"
)

// serviceToken is the name of the credential by which a service's unit gets its token.
const serviceToken = "token"

// Patience with PID 1 and with the Spawner: for an answer to be read, and for word of whose unit it is that asks.
const (
	writePatience = 5 * time.Second
	namePatience  = 30 * time.Second
)

// question is what PID 1 asks for: a credential of a unit.
type question struct{ unit, credential string }

// address is how systemd names the client side of a LoadCredential= connection (systemd.exec(5), "Credentials"): in the
// abstract namespace, "\0" and sixteen random hexadecimal digits at most, the unit's name, the credential's. Go writes "@"
// for the zero byte.
var address = regexp.MustCompile(`^@[0-9a-f]{1,16}/unit/([A-Za-z0-9:_.\\@-]+)/([A-Za-z0-9_.-]+)$`)

// longest is the length of a unit's name, and of a credential's, which is a file's. In the expression it would be 255 states each.
const longest = 255

// parseAddress reads such an address.
func parseAddress(addr string) (question, bool) {
	part := address.FindStringSubmatch(addr)
	if part == nil || max(len(part[1]), len(part[2])) > longest {
		return question{}, false
	}
	return question{unit: part[1], credential: part[2]}, true
}

// ServeCredentials answers PID 1 when a unit starts that loads its identity from l, until ctx ends. It needs the name of the unit
// and a wish on disk, and nothing reconciled: a unit whose start a former hub asked for gets its identity too.
func (m *Manager) ServeCredentials(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var answering sync.WaitGroup
	defer answering.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		answering.Go(func() { m.attend(ctx, c) })
	}
}

// attend answers one connection. Whoever is not PID 1, or asks for what is not there, gets nothing.
func (m *Manager) attend(ctx context.Context, c net.Conn) {
	defer c.Close()
	if varlink.PeerOf(c).UID != 0 || ctx.Err() != nil {
		return
	}
	q, ok := parseAddress(c.RemoteAddr().String())
	if !ok {
		m.log.Warn().Msg("somebody asks for a credential and does not say for which unit")
		return
	}
	limited, done := context.WithTimeout(ctx, namePatience)
	defer done()
	answer, err := m.Credential(limited, q.unit, q.credential)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(writePatience))
	}
	if err == nil {
		_, err = c.Write(answer)
	}
	if err != nil {
		m.log.Warn().Err(err).Str("unit", q.unit).Msg("a unit does not get its credential")
	}
}

// Credential returns a unit's credential, made at this moment: "environment" of a server that is wished, "token" of a
// service. What the server was known by before opens nothing any more. It waits, for ctx at most, until the Spawner tells whose
// unit that is.
func (m *Manager) Credential(ctx context.Context, unit, name string) ([]byte, error) {
	switch name {
	case credential.Name:
		if strings.HasPrefix(unit, serviceUnits) {
			return m.answerServiceIdentity(unit)
		}
		return m.answerServer(ctx, unit)
	case serviceToken:
		return m.answerService(unit)
	}
	return nil, hub.Errorf(hub.NotFound, "there is no credential %q", name)
}

func (m *Manager) answerServer(ctx context.Context, unit string) (answer []byte, err error) {
	ref, err := m.names.server(ctx, unit)
	if err != nil {
		return nil, err
	}
	policy := m.policyNow()
	err = m.store.Update(func(tx *store.Tx) error {
		if r, err := tx.Server(ref); err != nil || !r.Wanted {
			return hub.Errorf(hub.NotFound, "no server is wished that runs as %s", unit)
		}
		env, err := m.identity(tx, policy, ref)
		if err == nil {
			answer, err = credential.Encode(env)
		}
		return err
	})
	return answer, err
}

func (m *Manager) answerService(unit string) (answer []byte, err error) {
	err = m.store.Update(func(tx *store.Tx) error {
		services := tx.Services()
		i := slices.IndexFunc(services, func(s hub.Service) bool { return s.Unit == unit })
		if i < 0 || unit == "" {
			return hub.Errorf(hub.NotFound, "no service runs as %s", unit)
		}
		value, _, err := tx.NewToken(hub.Token{
			Owner:  hub.Owner{Kind: hub.OwnerService, Name: services[i].Name},
			Scopes: []string{"inherit"}, Note: "Credential of " + unit, Expires: m.now().Add(m.life),
		})
		answer = []byte(value)
		return err
	})
	return answer, err
}
