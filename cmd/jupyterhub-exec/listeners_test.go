package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tcpHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	port    = 8080 // 1F90
)

// table writes a table of the kernel's, of a machine that puts the lowest byte first.
func table(t *testing.T, lines ...string) tables {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tcp")
	if err := os.WriteFile(file, []byte(tcpHead+strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return tables{file, filepath.Join(t.TempDir(), "absent")}
}

// socket is one line of such a table.
func socket(ends, state, uid, inode string) string {
	return "   0: " + ends + " " + state + " 00000000:00000000 00:00000000 00000000  " + uid + "        0 " + inode + " 1 0000000000000000 100 0 0 10 0"
}

func TestWhoListens(t *testing.T) {
	const (
		loopback4 = "0100007F:1F90 00000000:0000"
		every4    = "00000000:1F90 00000000:0000"
		every6    = "00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000"
		mapped    = "0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000"
		loopback6 = "00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000"
		elsewhere = "0100007F:1F91 00000000:0000"
		outside   = "0A00000A:1F90 00000000:0000"
		connected = "0100007F:1F90 0100007F:C000"
	)
	for name, play := range map[string]struct {
		lines []string
		want  owner
	}{
		"nobody":                    {nil, nobody},
		"alice":                     {[]string{socket(loopback4, "0A", "1000", "7")}, own},
		"alice, at every address":   {[]string{socket(every4, "0A", "1000", "7")}, own},
		"alice, by IPv6":            {[]string{socket(every6, "0A", "1000", "7")}, own},
		"alice, mapped":             {[]string{socket(mapped, "0A", "1000", "7")}, own},
		"mallory":                   {[]string{socket(loopback4, "0A", "1001", "7")}, stranger},
		"mallory, at every address": {[]string{socket(every4, "0A", "1001", "7")}, stranger},
		"mallory, by IPv6":          {[]string{socket(every6, "0A", "1001", "7")}, stranger},
		"mallory besides alice":     {[]string{socket(loopback4, "0A", "1000", "7"), socket(every6, "0A", "1001", "8")}, stranger},
		"mallory before alice":      {[]string{socket(every6, "0A", "1001", "8"), socket(loopback4, "0A", "1000", "7")}, stranger},
		"mallory, elsewhere":        {[]string{socket(elsewhere, "0A", "1001", "7"), socket(outside, "0A", "1001", "7"), socket(loopback6, "0A", "1001", "7")}, nobody},
		"a connection is no owner":  {[]string{socket(connected, "01", "1000", "7")}, nobody},
	} {
		if got, err := table(t, play.lines...).ownerOf(port, 1000); err != nil || got != play.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, play.want)
		}
	}
}

func TestWhoHasTheOtherEnd(t *testing.T) {
	const theirs = "0100007F:1F90 0100007F:C000"
	local, remote := netip.MustParseAddrPort("127.0.0.1:49152"), netip.MustParseAddrPort("127.0.0.1:8080")
	ours := socket("0100007F:C000 0100007F:1F90", "01", "1000", "6") // our own end is not the other one
	for name, play := range map[string]struct {
		line string
		want owner
	}{
		"alice":           {socket(theirs, "01", "1000", "7"), own},
		"mallory":         {socket(theirs, "01", "1001", "7"), stranger},
		"not accepted":    {socket(theirs, "01", "0", "0"), nobody},
		"not accepted, 6": {socket("0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000100007F:C000", "01", "1001", "0"), nobody},
	} {
		if got, err := table(t, ours, play.line).far(local, remote, 1000); err != nil || got != play.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, play.want)
		}
	}
	if _, err := table(t, ours).far(local, remote, 1000); !errors.Is(err, errAbsent) {
		t.Errorf("of a connection that is gone: %v", err)
	}
}

func TestTheKernelsOwnTableIsRead(t *testing.T) {
	count := 0
	if err := kernelTables().each(func(row) bool { count++; return true }); err != nil {
		t.Errorf("after %d rows: %v", count, err)
	}
}

func FuzzRows(f *testing.F) {
	f.Add(tcpHead + socket("0100007F:1F90 00000000:0000", "0A", "1000", "7"))
	f.Add(tcpHead + socket("0100007:1F90 00000000:0000", "0A", "1000", "7"))
	f.Add(tcpHead + socket("000000000000000000000000010000:1F90 0:0", "FFF", "-1", "x"))
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		_ = rows(strings.NewReader(text), func(r row) bool {
			if !r.local.IsValid() || !r.remote.IsValid() || r.uid < 0 {
				t.Errorf("%q was read as %+v", text, r)
			}
			return true
		})
	})
}
