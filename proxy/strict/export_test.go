package strict

// FramesIn returns the types of the frames that begin in what was said, a piece at a time.
func FramesIn(said []byte, piece int) (types []byte) {
	c := cutter{begins: func(kind, _ byte, _ int) { types = append(types, kind) }, passes: func(int, bool) {}}
	for len(said) > 0 {
		n := min(piece, len(said))
		c.cut(said[:n])
		said = said[n:]
	}
	return types
}
