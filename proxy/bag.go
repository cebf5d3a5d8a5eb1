package proxy

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"jupyterhubd/hub/descriptor"
)

// A bag is one end of a pair of sockets whose other end has sent packets with parked tunnels into it and is closed. The kernel
// holds them as long as somebody holds the bag: systemd's file-descriptor store compares each new descriptor with every one
// that it has, so that thousands would take it seconds; of bags it gets one.

// tunnelsAPacket is how many tunnels one packet carries: two descriptors each, and one file with what is known of all of them.
const tunnelsAPacket = (maxBeside - 1) / 2

// parcel is what the file of a packet says of one tunnel.
type parcel struct {
	Route string `json:"route"`
	State []byte `json:"state"`
}

// packets hands each packet's descriptors to send, which copies them, and closes ours of those that it took. What is left when
// send fails is returned.
func packets(all []parked, send func(fds []int) error) ([]parked, error) {
	for len(all) > 0 {
		some := all[:min(len(all), tunnelsAPacket)]
		if err := packet(some, send); err != nil {
			return all, err
		}
		for _, k := range some {
			k.close()
		}
		all = all[len(some):]
	}
	return nil, nil
}

func packet(some []parked, send func([]int) error) error {
	var parcels []parcel
	for _, k := range some {
		parcels = append(parcels, parcel{k.route, k.state})
	}
	f, err := inMemory("tunnels", parcels)
	if err != nil {
		return err
	}
	defer f.Close()
	fds := []int{descriptor.Of(f)}
	for _, k := range some {
		fds = append(fds, k.client, k.server)
	}
	return send(fds)
}

// unpack makes parked tunnels of a packet's descriptors again.
func unpack(files []*os.File) ([]parked, error) {
	if len(files) == 0 {
		return nil, errors.New("a packet of tunnels is empty")
	}
	var parcels []parcel
	err := fromMemory(files[0], &parcels)
	if err == nil && len(files) != 1+2*len(parcels) {
		err = fmt.Errorf("a packet has %d descriptors for %d tunnels", len(files)-1, len(parcels))
	}
	if err != nil {
		closeAll(files[1:])
		return nil, err
	}
	all := make([]parked, len(parcels))
	for i, p := range parcels {
		k := parked{route: p.Route, state: p.State, client: -1, server: -1}
		for at, fd := range map[int]*int{1 + 2*i: &k.client, 2 + 2*i: &k.server} {
			var failed error
			// A copy, since the runtime would close the file's own some day.
			if *fd, failed = unix.FcntlInt(uintptr(descriptor.Of(files[at])), unix.F_DUPFD_CLOEXEC, 3); failed != nil {
				err = errors.Join(err, failed)
			}
		}
		all[i] = k
	}
	closeAll(files[1:])
	return all, err
}

func (k parked) close() {
	for _, fd := range []int{k.client, k.server} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// bags puts tunnels into as few bags as hold them.
func bags(all []parked) (full []*os.File, err error) {
	for len(all) > 0 {
		in, bag, err := pair(unix.SOCK_SEQPACKET)
		if err != nil {
			return full, err
		}
		before := len(all)
		all, err = packets(all, sendTo(in))
		in.Close()
		if before == len(all) { // not even one packet: another bag would not help
			bag.Close()
			for _, k := range all {
				k.close()
			}
			return full, fmt.Errorf("keep %d WebSockets: %w", before, err)
		}
		full = append(full, bag)
	}
	return full, nil
}

// sendTo sends copies of descriptors into a socket as long as it takes them.
func sendTo(in *os.File) func([]int) error {
	return func(fds []int) error {
		return unix.Sendmsg(descriptor.Of(in), []byte("t"), unix.UnixRights(fds...), nil, unix.MSG_DONTWAIT)
	}
}

// empty takes the tunnels out of a bag, and closes it. What is no bag is closed as well.
func empty(bag *os.File) (all []parked, err error) {
	l, err := wireOf(bag)
	if err != nil {
		return nil, err
	}
	defer l.close()
	body, oob := make([]byte, 16), make([]byte, unix.CmsgSpace(4*(maxBeside+3)))
	for {
		n, oobn, _, _, err := l.conn.ReadMsgUnix(body, oob)
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("take WebSockets out of the store: %w", err)
		}
		files, err := filesIn(oob[:oobn])
		if err != nil {
			return all, err
		}
		some, err := unpack(files)
		if all = append(all, some...); err != nil {
			return all, err
		}
	}
}
