package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// tables are where the kernel says who has which TCP socket in this network namespace (proc(5)). Those that listen come
// first in each.
type tables []string

func kernelTables() tables { return tables{"/proc/net/tcp", "/proc/net/tcp6"} }

// row is one socket.
type row struct {
	local, remote netip.AddrPort
	state         uint8
	uid           int
	inode         uint64 // 0: nobody has accepted it yet
}

// tcpListen is a state of include/net/tcp_states.h.
const tcpListen = 10

// each calls see with every row until it returns false.
func (t tables) each(see func(row) (more bool)) error {
	for _, path := range t {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return err
		}
		err = rows(f, see)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// rows reads one table.
func rows(table io.Reader, see func(row) (more bool)) error {
	lines := bufio.NewScanner(table)
	for first := true; lines.Scan(); first = false {
		if first {
			continue // the head
		}
		r, err := parseRow(lines.Text())
		if err != nil {
			return err
		}
		if !see(r) {
			return nil
		}
	}
	return lines.Err()
}

// parseRow reads "  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 …".
func parseRow(line string) (row, error) {
	const local, remote, state, uid, inode = 1, 2, 3, 7, 9
	f := strings.Fields(line)
	if len(f) <= inode {
		return row{}, fmt.Errorf("a row of %d columns", len(f))
	}
	var r row
	var errs [5]error
	r.local, errs[0] = parseEnd(f[local])
	r.remote, errs[1] = parseEnd(f[remote])
	s, err := strconv.ParseUint(f[state], 16, 8)
	r.state, errs[2] = uint8(s), err
	u, err := strconv.ParseUint(f[uid], 10, 32)
	r.uid, errs[3] = int(u), err
	r.inode, errs[4] = strconv.ParseUint(f[inode], 10, 64)
	return r, errors.Join(errs[:]...)
}

// parseEnd reads an address and a port. An address is words of four bytes in the machine's own order.
func parseEnd(s string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("no address: %q", s)
	}
	for at := 0; at < len(b); at += 4 {
		binary.NativeEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:]))
	}
	a, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("no address: %q", s)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), nil
}

// owner says who would answer at a port of 127.0.0.1.
type owner int

const (
	nobody owner = iota
	own
	stranger
)

// loopback is where the command listens.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// ownerOf finds out who listens where a connection to the port could arrive. With one stranger among them it is a stranger.
func (t tables) ownerOf(port uint16, uid int) (owner, error) {
	found := nobody
	err := t.each(func(r row) bool {
		here := r.local.Port() == port && (r.local.Addr() == loopback || r.local.Addr().IsUnspecified())
		switch {
		case r.state != tcpListen:
			return false
		case here && r.uid != uid:
			found = stranger
		case here && found == nobody:
			found = own
		}
		return true
	})
	return found, err
}

// errAbsent is a connection whose other end is in no table.
var errAbsent = errors.New("the other end of the connection is gone")

// far says who has the other end of a connection from local to remote. Nobody is somebody who has yet to accept it: whoever
// listens.
func (t tables) far(local, remote netip.AddrPort, uid int) (owner, error) {
	found, err := nobody, errAbsent
	broken := t.each(func(r row) bool {
		if r.state == tcpListen || r.local != remote || r.remote != local {
			return true
		}
		switch err = nil; {
		case r.inode == 0:
		case r.uid == uid:
			found = own
		default:
			found = stranger
		}
		return false
	})
	return found, errors.Join(broken, err)
}
