package web

import (
	"regexp"
	"strings"
)

// piece is a part of an announcement: text, or an address that can be followed.
type piece struct{ Text, Link string }

// address finds what a person would take for an address. What ends a sentence behind it is not part of it.
var address = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)]`)

// said is the announcement of a page: its own, or else the one of all pages. It is text, never HTML.
func (room *Room) said(page string) (pieces []piece) {
	text := room.Announcements["announcement_"+page]
	if text == "" {
		text = room.Announcements["announcement"]
	}
	text = strings.TrimSpace(text)
	for text != "" {
		at := address.FindStringIndex(text)
		if at == nil {
			return append(pieces, piece{Text: text})
		}
		if at[0] > 0 {
			pieces = append(pieces, piece{Text: text[:at[0]]})
		}
		link := text[at[0]:at[1]]
		pieces, text = append(pieces, piece{Text: link, Link: link}), text[at[1]:]
	}
	return pieces
}
