package spawner

import (
	"context"
	"time"
)

// reportInterval is the least time between two reports.
const reportInterval = time.Second

// tally asks for a report, should the number of active servers be another one now.
func (m *Manager) tally() {
	select {
	case m.counted <- struct{}{}:
	default:
	}
}

// runReport reports how many servers are active: once it is known what runs, then whenever it has changed.
func (m *Manager) runReport(ctx context.Context) {
	select {
	case <-m.synced:
	case <-ctx.Done():
	}
	for told := -1; ctx.Err() == nil; {
		m.mu.Lock()
		n := len(m.servers)
		m.mu.Unlock()
		if n != told {
			m.report(n)
			told = n
			pause(ctx, nil, reportInterval)
		}
		select {
		case <-m.counted:
		case <-ctx.Done():
		}
	}
}
