package proxy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// wire is a socket between two proxies of the same site, of which one follows the other. Each packet is one message, with
// descriptors beside it.
type wire struct {
	conn *net.UnixConn
	left atomic.Pointer[remains] // what an elder at the other end has last said; nil: nothing yet

	telling sync.Mutex         // guards told
	told    map[owned]underWay // here, to an heir at the other end
	open    map[owned]underWay // at an elder at the other end; its listener's alone

	sending sync.Mutex // one message at a time
	asking  sync.Mutex // guards waits and last
	waits   map[uint64]chan message
	last    uint64
}

// message is what is said over a wire. Do says which of the fields mean something.
type message struct {
	Do      string                     `json:"do"`
	ID      uint64                     `json:"id,omitempty"`
	Names   []string                   `json:"names,omitempty"` // of the descriptors
	PID     int                        `json:"pid,omitempty"`
	Path    string                     `json:"path,omitempty"`
	Data    map[string]json.RawMessage `json:"data,omitempty"`
	Session string                     `json:"session,omitempty"`
	Alias   *alias                     `json:"alias,omitempty"`
	Stay    []string                   `json:"stay,omitempty"`
	Active  map[string]time.Time       `json:"active,omitempty"`
	Args    []string                   `json:"args,omitempty"`
	Env     []string                   `json:"env,omitempty"`
	Open    []open                     `json:"open,omitempty"`
	Left    remains                    `json:"left,omitzero"`
	Error   string                     `json:"error,omitempty"`
}

// What proxies say to each other: the heir on the left, the one that it follows on the right.
const (
	doHello   = "hello"   //  <- how the heir is to be started: Args, Env
	doClaim   = "claim"   //  -> the heir is there: PID
	doEstate  = "estate"  //  <- doors, and wires to those that went before: Names
	doFreeze  = "freeze"  //  -> the heir could begin
	doTable   = "table"   //  <- the table, in a file of memory; the API waits from here on
	doServing = "serving" //  -> the heir serves
	doYours   = "yours"   //  <- the site is the heir's
	doKept    = "kept"    //  <- tunnels
	doCaller  = "caller"  //  <- a connection to the API
	doActive  = "active"  //  <- when routes were last used, by key: Active
	doLeft    = "left"    //  <- what connections are left there: Left
	doOpen    = "open"    //  <- whose WebSockets and requests are there: Open
	doCount   = "count"   //  -> how many are left?
	doRoute   = "route"   //  -> a route has changed: Path, Data
	doForget  = "forget"  //  -> a route is gone: Path, a key
	doSession = "session" //  -> a session has ended: Session
	doRename  = "rename"  //  -> a session has another name at a route: Session, Path, a key, Alias; or a token has everywhere, but what is at Stay goes on
	doStop    = "stop"    //  -> everything ends
	doDone    = "done"    //  <- what was asked for has been done: ID
	doRefuse  = "refuse"  // <-> nothing comes of it: Error
)

// Limits of a wire.
const (
	maxPacket   = 64 << 10 // bytes; far below what a socket's buffer holds
	maxBeside   = 250      // descriptors of one packet; SCM_MAX_FD is 253
	answerTime  = 2 * time.Second
	activeBatch = 200 // routes told of in one packet
)

func newWire(c *net.UnixConn) *wire { return &wire{conn: c, waits: map[uint64]chan message{}} }

// wireOf makes a wire of a descriptor, which it takes.
func wireOf(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("take over a socket: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("take over a socket: it is no Unix socket")
	}
	return newWire(u), nil
}

// send says something, with copies of descriptors beside it.
func (l *wire) send(m message, beside ...int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) > maxPacket || len(beside) > maxBeside {
		return fmt.Errorf("say %s to another proxy: %d bytes and %d descriptors are too much", m.Do, len(b), len(beside))
	}
	var rights []byte
	if len(beside) > 0 {
		rights = unix.UnixRights(beside...)
	}
	l.sending.Lock()
	defer l.sending.Unlock()
	l.conn.SetWriteDeadline(time.Now().Add(answerTime))
	if _, _, err := l.conn.WriteMsgUnix(b, rights, nil); err != nil {
		return fmt.Errorf("say %s to another proxy: %w", m.Do, err)
	}
	return nil
}

// receive waits for the next message; io.EOF is the end of the other side. The descriptors are the caller's.
func (l *wire) receive() (message, []*os.File, error) {
	body, oob := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(4*(maxBeside+3)))
	n, oobn, flags, _, err := l.conn.ReadMsgUnix(body, oob)
	if err != nil {
		return message{}, nil, err
	}
	files, err := filesIn(oob[:oobn])
	switch {
	case err != nil:
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errors.New("a message of another proxy is too long")
	case n == 0:
		err = io.EOF
	}
	var m message
	if err == nil {
		err = json.Unmarshal(body[:n], &m)
	}
	if err != nil {
		closeAll(files)
		return message{}, nil, err
	}
	return m, files, nil
}

func filesIn(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	parts, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, part := range parts {
		fds, err := unix.ParseUnixRights(&part)
		if err != nil {
			continue // something else
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// expect waits for one kind of message as long as a moment lasts.
func (l *wire) expect(do string, moment time.Duration) (message, []*os.File, error) {
	l.conn.SetReadDeadline(time.Now().Add(moment))
	defer l.conn.SetReadDeadline(time.Time{})
	m, files, err := l.receive()
	switch {
	case err != nil:
		return m, nil, fmt.Errorf("wait for %q of another proxy: %w", do, err)
	case m.Do == doRefuse:
		closeAll(files)
		return m, nil, errors.New(m.Error)
	case m.Do != do:
		closeAll(files)
		return m, nil, fmt.Errorf("another proxy says %q where %q was to come", m.Do, do)
	}
	return m, files, nil
}

// ask says something and waits until it has been done. Answers come in by answered.
func (l *wire) ask(m message) error {
	done := make(chan message, 1)
	l.asking.Lock()
	l.last++
	m.ID = l.last
	l.waits[m.ID] = done
	l.asking.Unlock()
	defer func() {
		l.asking.Lock()
		defer l.asking.Unlock()
		delete(l.waits, m.ID)
	}()
	if err := l.send(m); err != nil {
		return err
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case <-done:
		return nil
	case <-late.C:
		return fmt.Errorf("another proxy did not answer %q in %s", m.Do, answerTime)
	}
}

func (l *wire) answered(m message) {
	l.asking.Lock()
	defer l.asking.Unlock()
	if done := l.waits[m.ID]; done != nil {
		done <- m
		delete(l.waits, m.ID)
	}
}

// file returns a copy of the wire's descriptor, to hand on.
func (l *wire) file() (*os.File, error) { return l.conn.File() }

func (l *wire) close() { l.conn.Close() }

// pair makes two sockets that are connected with each other, of a type of unix(7).
func pair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// inMemory returns a file without a name that holds v as JSON. Systemd's store and other processes can hold it.
func inMemory(name string, v any) (*os.File, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file of memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(body, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("write a file of memory: %w", err)
	}
	return f, nil
}

// fromMemory reads what inMemory wrote, and closes the file.
func fromMemory(f *os.File, v any) error {
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := json.NewDecoder(io.NewSectionReader(f, 0, info.Size())).Decode(v); err != nil {
		return fmt.Errorf("read a file of memory: %w", err)
	}
	return nil
}
