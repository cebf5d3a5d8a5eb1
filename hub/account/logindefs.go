package account

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
)

// MinUID returns the lowest uid that this machine gives to people: UID_MIN of /etc/login.defs (login.defs(5)), or 1000
// where the file is missing, unreadable or says nothing sensible. It never returns less than 1.
func MinUID() int64 {
	f, err := os.Open("/etc/login.defs")
	if err != nil {
		return defaultMin
	}
	defer f.Close()
	return uidMin(f)
}

// uidMin finds the last UID_MIN, as the shadow suite does. Numbers may be octal or hexadecimal, by strtoul's rules.
func uidMin(r io.Reader) int64 {
	found := defaultMin
	lines := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		if len(word) < 2 || word[0] != "UID_MIN" {
			continue
		}
		if v, err := strconv.ParseInt(strings.Trim(word[1], `"`), 0, 33); err == nil && v > 0 {
			found = v
		}
	}
	return found
}
