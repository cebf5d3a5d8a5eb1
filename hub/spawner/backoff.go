package spawner

import (
	"context"
	"time"
)

// backoff is a growing pause between attempts.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// pause returns how long to wait now, twice as long as the last time.
func (b *backoff) pause() time.Duration {
	b.next = min(max(2*b.next, b.first), b.most)
	return b.next
}

// wait pauses; it reports false if ctx ended meanwhile.
func (b *backoff) wait(ctx context.Context) bool {
	t := time.NewTimer(b.pause())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
