package varlink

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"jupyterhubd/hub"
)

// Handler answers one call: by Request.Reply once, by Request.Continue any number of times before it, or by an error. Its
// context ends when the caller leaves.
type Handler = func(context.Context, *Request) error

// Interface is a set of methods under one name. Description is the text of its .varlink file.
type Interface struct {
	Name        string
	Description string
	Methods     map[string]Handler // by unqualified name
}

// Service answers on connections.
type Service struct {
	Vendor, Product, Version, URL string
	Interfaces                    []Interface
	Allow                         func(Cred) error // nil admits everybody; asked once a connection, before anything is read
	MaxConns                      int              // connections served at once by Serve; zero means DefaultConns
	Reserve                       int              // connections of root's that are served beside those: nobody else locks root out
}

// DefaultConns is how many connections Serve answers at once; one more is closed unread.
const DefaultConns = 64

// writeTimeout bounds how long a caller that does not read can hold a handler.
const writeTimeout = 30 * time.Second

// Serve answers on every connection that l accepts until ctx ends or l fails, then closes them and waits for their
// handlers.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	var serving sync.WaitGroup
	defer serving.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Of this context and not of its parent, or the listener could be closed before this one is known to have ended.
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	places, reserve := make(chan struct{}, s.maxConns()), make(chan struct{}, s.Reserve)
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		place := taken(places)
		if place == nil && PeerOf(c).UID == 0 {
			place = taken(reserve)
		}
		if place == nil {
			_ = c.Close()
			continue
		}
		serving.Go(func() {
			defer func() { <-place }()
			_ = s.ServeConn(ctx, c) // a caller's broken connection concerns the caller alone, ignoring
		})
	}
}

// taken returns the places of which one was free and is taken now, nil where none was.
func taken(places chan struct{}) chan struct{} {
	select {
	case places <- struct{}{}:
		return places
	default:
		return nil
	}
}

func (s *Service) maxConns() int {
	if s.MaxConns > 0 {
		return s.MaxConns
	}
	return DefaultConns
}

// ServeConn answers on one connection until the caller leaves, sends what is no message, or ctx ends. It closes c.
func (s *Service) ServeConn(ctx context.Context, c net.Conn) error {
	defer c.Close()
	peer := PeerOf(c)
	if s.Allow != nil {
		if err := s.Allow(peer); err != nil {
			_ = writeMessage(c, toReply("", standard{name: errPermissionDenied}), MaxMessage) // a caller may be gone, ignoring
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	calls := make(chan call)
	go readCalls(ctx, c, calls, cancel)
	for {
		select {
		case in := <-calls:
			if err := s.answer(ctx, c, peer, in); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// readCalls reads ahead by one call, so that the caller's leaving is seen while a handler runs.
func readCalls(ctx context.Context, c net.Conn, calls chan<- call, cancel context.CancelCauseFunc) {
	reader := bufio.NewReader(c)
	for {
		message, err := readMessage(reader, MaxRequest)
		var in call
		if err == nil {
			err = decodeStrict(message, &in)
		}
		if err != nil {
			cancel(err)
			return
		}
		select {
		case calls <- in:
		case <-ctx.Done():
			return
		}
	}
}

// answer runs one call's handler. The error returned ends the connection; a refusal does not.
func (s *Service) answer(ctx context.Context, c net.Conn, peer Cred, in call) error {
	name, handler, err := s.find(in.Method)
	r := &Request{Method: in.Method, Parameters: in.Parameters, More: in.More, Oneway: in.Oneway, Peer: peer, net: c}
	if err == nil && in.Upgrade {
		err = standard{name: errInvalidParameter, parameters: map[string]string{"parameter": "upgrade"}}
	}
	if err == nil {
		err = handler(ctx, r)
	}
	switch {
	case r.broken != nil:
		return r.broken
	case in.Oneway:
		return nil
	case err == nil && !r.done:
		return r.Reply(struct{}{})
	case err != nil && !r.done:
		return r.write(toReply(name, err))
	}
	return nil
}

// find returns the interface and the handler of a qualified method name.
func (s *Service) find(method string) (string, Handler, error) {
	dot := strings.LastIndexByte(method, '.')
	if dot < 0 {
		return "", nil, standard{name: errInvalidParameter, parameters: map[string]string{"parameter": "method"}}
	}
	name, verb := method[:dot], method[dot+1:]
	for _, i := range append([]Interface{s.introspection()}, s.Interfaces...) {
		if i.Name != name {
			continue
		}
		if h := i.Methods[verb]; h != nil {
			return name, h, nil
		}
		return "", nil, standard{name: errMethodNotFound, parameters: map[string]string{"method": method}}
	}
	return "", nil, standard{name: errInterfaceNotFound, parameters: map[string]string{"interface": name}}
}

// Request is one call as its handler sees it.
type Request struct {
	Method     string // qualified
	Parameters json.RawMessage
	More       bool
	Oneway     bool
	Peer       Cred

	net    net.Conn
	done   bool
	broken error // the wire failed; nothing more can be said
}

// Decode reads the parameters strictly into v; what does not fit is of kind Invalid. Absent parameters leave v as it is.
func (r *Request) Decode(v any) error {
	if len(r.Parameters) == 0 || string(r.Parameters) == "null" {
		return nil
	}
	return decodeStrict(r.Parameters, v)
}

// Reply sends the last (or only) answer.
func (r *Request) Reply(v any) error {
	if r.done {
		return errors.New("varlink: a call is answered once")
	}
	return r.send(v, false)
}

// Continue sends an answer that another one follows. The caller must have asked for more.
func (r *Request) Continue(v any) error {
	if !r.More {
		return hub.Errorf(hub.Invalid, "%s answers with a stream: call it with \"more\"", r.Method)
	}
	return r.send(v, true)
}

func (r *Request) send(v any, continues bool) error {
	if r.Oneway {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return r.write(reply{Parameters: b, Continues: continues})
}

func (r *Request) write(out reply) error {
	_ = r.net.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := writeMessage(r.net, out, MaxMessage); err != nil {
		if hub.KindOf(err) != hub.TooLarge {
			r.broken = err
		}
		return err
	}
	r.done = !out.Continues
	return nil
}
