package config

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "1": 1, "1K": 1024, "2G": 2 << 30, "1.5G": 3 << 29, "512M": 512 << 20, "1 T": 1 << 40} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "2GB", "-1", "1e9", "0x10", "2 GiB", "99999999T", "１G"} {
		if got, err := ParseBytes(text); err == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]int64{"0s": 0, "90s": 90, "1h": 3600, "1h30m": 5400, "5min": 300, "14d": 14 * 86400, "2w": 14 * 86400, "1h 30 m": 5400} {
		if got, err := ParseDuration(text); err != nil || got != seconds(want) {
			t.Errorf("%s is %s, %v; want %ds", text, got, err, want)
		}
	}
	for _, text := range []string{"", "1", "h", "-1h", "1y", "1h x", "999999999999w"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was taken as %s", text, got)
		}
	}
}

func FuzzUnits(f *testing.F) {
	for _, s := range []string{"2G", "1.5T", "90s", "1h30m", "14d", "1ms", "9223372036s", "1048577K"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := ParseBytes(text); err == nil {
			if again, err := ParseBytes(b.String()); err != nil || again != b {
				// A float holds 53 bits: only what is beyond may differ.
				if b < 1<<53 {
					t.Errorf("%q is %d, written %s, read %d, %v", text, b, b, again, err)
				}
			}
		}
		if d, err := ParseDuration(text); err == nil {
			again, err := ParseDuration(d.String())
			if err != nil && d%1e6 == 0 {
				t.Errorf("%q is %d, written %s, read %d, %v", text, d, d, again, err)
			}
		}
	})
}
