package credential

import (
	"maps"
	"strings"
	"testing"

	"jupyterhubd/hub"
)

var alice = Environment{"JUPYTERHUB_USER": "alice", "JUPYTERHUB_API_TOKEN": "0123", "JUPYTERHUB_HOST": "", "JUPYTERHUB_SERVICE_PREFIX": "/user/a=b\n/"}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	b, err := Encode(alice)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || !maps.Equal(got, alice) {
		t.Errorf("got %v, %v", got, err)
	}
}

// Vulnerability: the hub dies while PID 1 reads its answer, and the unit gets the beginning of an identity. Attack: every
// possible cut. Verified: none of them is taken for a credential.
func TestEveryCutIsRefused(t *testing.T) {
	b, err := Encode(alice)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if env, err := Decode(b[:n]); hub.KindOf(err) != hub.Invalid {
			t.Errorf("the first %d bytes were read as %v, %v", n, env, err)
		}
	}
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	b, err := Encode(alice)
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		b[n] ^= 1
		if env, err := Decode(b); hub.KindOf(err) != hub.Invalid {
			t.Errorf("with byte %d changed it was read as %v, %v", n, env, err)
		}
		b[n] ^= 1
	}
}

// Vulnerability: variables that change how programs are loaded. Attack: a taken-over hub sends them with a true checksum.
// Verified: only the exact list passes, and each name once.
func TestATakenOverHubSetsNothingElse(t *testing.T) {
	for _, body := range []string{
		"LD_PRELOAD=/home/mallory/x.so\x00", "PATH=/home/mallory\x00", "PYTHONPATH=/home/mallory\x00", "JUPYTERHUB_ROOT_DIR=/\x00",
		"JUPYTERHUB_USER=alice\x00JUPYTERHUB_USER=bob\x00", "=\x00", "JUPYTERHUB_USER\x00", "jupyterhub_user=alice\x00",
	} {
		if env, err := Decode([]byte(body + closing([]byte(body)))); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%q was read as %v, %v", body, env, err)
		}
		if env, err := Encode(Environment{strings.SplitN(body, "=", 2)[0]: ""}); err == nil && !strings.HasPrefix(body, "JUPYTERHUB_USER") {
			t.Errorf("%q was written as %q", body, env)
		}
	}
	if _, err := Encode(Environment{"JUPYTERHUB_USER": "a\x00LD_PRELOAD=x"}); err == nil {
		t.Error("a NUL in a value was written")
	}
}

// The checksum is no secret: a taken-over hub can close whatever it likes with a true one, and so does this. Without it nothing
// but cut and altered credentials would be tried.
func FuzzDecode(f *testing.F) {
	b, err := Encode(alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, false)
	f.Add([]byte("JUPYTERHUB_USER=alice\x00JUPYTERHUB_API_TOKEN=0123\x00"), true)
	f.Add([]byte("\x00\x00length 2 sha256 x\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed {
			b = append(b, closing(b)...)
		}
		env, err := Decode(b)
		if err != nil {
			return
		}
		for name := range env {
			if !Allowed(name) {
				t.Fatalf("%q passed", name)
			}
		}
		again, err := Encode(env)
		if err != nil || len(again) != len(b) {
			t.Fatalf("%q was read and is written as %q, %v", b, again, err)
		}
	})
}
