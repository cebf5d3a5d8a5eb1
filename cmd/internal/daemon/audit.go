package daemon

import (
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"
)

// auditID is the MESSAGE_ID of the audit log's entries: journalctl MESSAGE_ID=… shows them and nothing else.
const auditID = "5c1d6bd1a6cb4b0ba4a7f0c56d9d1a3e"

// Field is a field of a journal entry. Its name has capital letters, digits and underscores.
type Field struct{ Name, Value string }

// Audit appends an entry to the journal, with fields to search by; those that are empty are left out. Where there is no journal
// it is a line of the log.
func (d *Daemon) Audit(message string, fields []Field) {
	if d.journal {
		vars := map[string]string{"MESSAGE_ID": auditID, "SYSLOG_IDENTIFIER": d.program.Name}
		for _, f := range fields {
			if f.Value != "" {
				vars[f.Name] = f.Value
			}
		}
		if journal.Send(message, journal.PriNotice, vars) == nil {
			return
		}
	}
	d.Log.WithLevel(zerolog.InfoLevel).EmbedObject(auditFields(fields)).Msg(message)
}

// auditFields writes them in the log's way.
type auditFields []Field

// MarshalZerologObject is zerolog's.
func (a auditFields) MarshalZerologObject(e *zerolog.Event) {
	for _, f := range a {
		if f.Value != "" {
			e.Str(strings.ToLower(f.Name), f.Value)
		}
	}
}
