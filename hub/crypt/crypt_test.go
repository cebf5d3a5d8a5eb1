package crypt

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jupyterhubd/hub"
)

const (
	oneKey     = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	anotherKey = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
)

func parse(t *testing.T, text string) Keys {
	t.Helper()
	k, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A key is the same key however it is written, and JupyterHub reads each of these.
func TestWaysToWriteAKey(t *testing.T) {
	raw, _ := decode(anotherKey)
	sealed, err := parse(t, anotherKey).Seal([]byte("secret"), []byte("alice"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{strings.ToUpper(anotherKey), base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw),
		oneKey + ";" + anotherKey, oneKey + "\n" + anotherKey + "\n", ";; " + anotherKey + " ;"} {
		if plain, err := parse(t, text).Open(sealed, []byte("alice")); err != nil || string(plain) != "secret" {
			t.Errorf("%q: %q, %v", text, plain, err)
		}
	}
	for text, keys := range map[string]int{"": 0, " ; \n": 0, strings.Repeat("k", 32): 1, oneKey + ";" + anotherKey: 2} {
		if k := parse(t, text); len(k.keys) != keys || k.None() != (keys == 0) {
			t.Errorf("%q: %d keys", text, len(k.keys))
		}
	}
}

// What is no key is refused, and nothing of it is said: the error goes to the journal.
func TestWhatIsNoKey(t *testing.T) {
	for _, text := range []string{"short", oneKey[:63], oneKey[:62] + "zz", strings.Repeat("=", 44), strings.Repeat("a", 44), oneKey + ";x"} {
		_, err := Parse(text)
		if hub.KindOf(err) != hub.Invalid || strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The first key seals, all open: so keys are exchanged.
func TestKeysAreExchanged(t *testing.T) {
	before, between, after := parse(t, oneKey), parse(t, anotherKey+";"+oneKey), parse(t, anotherKey)
	old, err := before.Seal([]byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := between.Open(old, nil); err != nil || string(plain) != "secret" || between.First(old) {
		t.Errorf("between: %q, %v, first %v", plain, err, between.First(old))
	}
	again, err := between.Seal([]byte("secret"), nil)
	if err != nil || !between.First(again) || !after.First(again) {
		t.Errorf("%v; sealed with another key than the first", err)
	}
	if _, err := after.Open(old, nil); hub.KindOf(err) != hub.Unavailable || !strings.Contains(err.Error(), "not among the keys") {
		t.Errorf("after: %v", err)
	}
	if plain, err := after.Open(again, nil); err != nil || string(plain) != "secret" {
		t.Errorf("after: %q, %v", plain, err)
	}
	if _, err := (Keys{}).Seal(nil, nil); hub.KindOf(err) != hub.Invalid {
		t.Errorf("without keys: %v", err)
	}
}

// Whatever byte is changed, wherever it is cut, and whatever else it is said to be about, it does not open; and nothing of the
// plain text is seen.
func TestWhatIsSealedCannotBeChanged(t *testing.T) {
	k := parse(t, oneKey)
	rapid.Check(t, func(t *rapid.T) {
		plain, about := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "plain"), rapid.SliceOf(rapid.Byte()).Draw(t, "about")
		sealed, err := k.Seal(plain, about)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(sealed, about); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%v: got %x", err, got)
		}
		if len(plain) >= 8 && bytes.Contains(sealed, plain) {
			t.Fatal("the plain text is seen")
		}
		changed := bytes.Clone(sealed)
		changed[rapid.IntRange(0, len(sealed)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "by"))
		other := append(bytes.Clone(about), rapid.Byte().Draw(t, "more"))
		for _, c := range []struct{ sealed, about []byte }{{changed, about}, {sealed, other}, {sealed[:rapid.IntRange(0, len(sealed)-1).Draw(t, "cut")], about}} {
			if got, err := k.Open(c.sealed, c.about); hub.KindOf(err) != hub.Unavailable {
				t.Fatalf("opened as %x, %v", got, err)
			}
		}
	})
}
