package proxy

// frames follows the bytes of one direction of a WebSocket (RFC 6455 5.2) far enough to know where a frame ends and whether
// it is data or control. It changes nothing and understands no extension: permessage-deflate leaves lengths and opcodes alone.
type frames struct {
	head [10]byte // without the mask
	have int      // bytes of the head so far
	need int      // bytes of the head; 0 before the second one
	left uint64   // mask and payload to come
	data bool     // the frame under way is data
}

// pass looks at the next bytes and reports whether any of them belong to a data frame. Pings, pongs and closings are not
// somebody at work: browsers answer pings by themselves.
func (f *frames) pass(b []byte) (data bool) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(uint64(len(b)), f.left)
			f.left -= n
			b = b[n:]
			data = data || f.data
			continue
		}
		f.head[f.have] = b[0]
		f.have++
		b = b[1:]
		if f.have == 1 {
			f.data = f.head[0]&0x08 == 0
		}
		data = data || f.data
		f.measure()
	}
	return data
}

// measure works out, as soon as the head is there, how much follows it.
func (f *frames) measure() {
	if f.have < 2 {
		return
	}
	size := f.head[1] & 0x7f
	switch f.need = 2; size {
	case 126:
		f.need = 4
	case 127:
		f.need = 10
	}
	if f.have < f.need {
		return
	}
	f.left = uint64(size)
	if f.need > 2 {
		f.left = 0
		for _, c := range f.head[2:f.need] {
			f.left = f.left<<8 | uint64(c)
		}
	}
	if f.head[1]&0x80 != 0 && f.left < 1<<63 {
		f.left += 4
	}
	f.have, f.need = 0, 0
}

// between reports whether the last byte ended a frame, so that another may be put behind it.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 }

// closeFrame is a server's closing frame with a status code (RFC 6455 7.4.1).
func closeFrame(code uint16) []byte { return []byte{0x88, 2, byte(code >> 8), byte(code)} }
