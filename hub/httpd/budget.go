package httpd

import (
	"sync"
	"time"
)

// A stranger can send requests faster than a journal should grow, and what is over journald's size pushes the oldest entries out,
// those of the audit log too. So the log of requests has a budget, and what is over it is counted instead. journald's own limit
// would drop entries of the unit without looking what they are; the unit turns it off.
const (
	linesAtOnce   = 4000 // a page of a crowd that comes in
	linesASecond  = 200
	leftOutMerges = time.Second // how long what was left out is counted before a line tells how much it was
)

// budget says which requests get a line. The zero value is a full one.
type budget struct {
	mu      sync.Mutex // guards the rest
	spent   float64
	at      time.Time // when spent was right
	leftOut int       // since the last line that told so
	told    time.Time
}

// spend takes a line from the budget. It reports whether there was one, and how many requests went without since that was told last:
// more than zero only with a line to tell it by.
func (b *budget) spend(now time.Time) (ok bool, leftOut int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-linesASecond*now.Sub(b.at).Seconds())
	b.at = now
	if b.spent+1 > linesAtOnce {
		b.leftOut++
		return false, 0
	}
	b.spent++
	if b.leftOut > 0 && now.Sub(b.told) >= leftOutMerges {
		leftOut, b.leftOut, b.told = b.leftOut, 0, now
	}
	return true, leftOut
}
