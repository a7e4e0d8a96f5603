package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

func create(t testing.TB) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring.json")
	r, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func load(t testing.TB, path string) *Ring {
	t.Helper()
	r, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCreateAndLoad(t *testing.T) {
	r, path := create(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat: %v, %v; want mode 0600", info.Mode(), err)
	}
	again := load(t, path)
	a, b := r.Active(time.Now()), again.Active(time.Now())
	if a.ID != b.ID || !bytes.Equal(a.Derive("x", 32), b.Derive("x", 32)) || !a.ActiveFrom.Equal(b.ActiveFrom) {
		t.Errorf("loaded %v, created %v", b, a)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: %v, want ErrExist", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second Create changed the file (%v)", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	_, path := create(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, other := create(t)
	otherData, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	entry := strings.TrimSuffix(strings.SplitAfterN(string(good), "[", 2)[1], "  ]\n}\n")
	sub := func(old, new string) []byte { return []byte(strings.Replace(string(good), old, new, 1)) }
	for name, data := range map[string][]byte{
		"empty":          {},
		"null":           []byte("null"),
		"not JSON":       []byte("hello"),
		"cut off":        good[:len(good)/2],
		"two rings":      append(bytes.Clone(good), otherData...),
		"text after":     append(bytes.Clone(good), "x"...),
		"unknown field":  sub(`"format"`, `"extra": 1, "format"`),
		"other format":   sub(formatName, "other"),
		"version 2":      sub(`"version": 1`, `"version": 2`),
		"no keys":        []byte(`{"format":"rolecall-keyring","version":1,"keys":[]}`),
		"key twice":      sub(entry, entry+","+entry),
		"id 0":           []byte(`{"format":"rolecall-keyring","version":1,"keys":[{"id":0}]}`),
		"no time":        []byte(strings.ReplaceAll(string(good), `"activeFrom"`, `"created"`)),
		"short secret":   sub(`"secret": "`, `"secret": "AA`),
		"damaged secret": flipSecret(good),
		"damaged check":  sub(`"check": "`, `"check": "0`),
		"too many keys":  []byte(`{"format":"rolecall-keyring","version":1,"keys":[` + strings.Repeat(`{"id":1},`, MaxKeys) + `{"id":1}]}`),
		"too big":        append(bytes.Clone(good), bytes.Repeat([]byte(" "), MaxFileBytes)...),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want ErrCorrupt with the path", name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	load(t, path) // the fixture itself is sound
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, privatefile.ErrModes) || !strings.Contains(err.Error(), "0640") {
		t.Errorf("mode 0640: %v, want ErrModes", err)
	}
	if _, err := Load(path + "-none"); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), path+"-none") {
		t.Errorf("missing: %v, want ErrMissing", err)
	}
}

// flipSecret changes one character of the secret.
func flipSecret(data []byte) []byte {
	out := bytes.Clone(data)
	i := bytes.Index(out, []byte(`"secret": "`)) + len(`"secret": "`)
	if out[i] == 'B' {
		out[i] = 'C'
	} else {
		out[i] = 'B'
	}
	return out
}

// HKDF-SHA256 computed apart from this program, for the secret 00 01 … 1f.
func TestDeriveVector(t *testing.T) {
	k := &Key{secret: new([secretSize]byte)}
	for i := range k.secret {
		k.secret[i] = byte(i)
	}
	if got, want := k.Fingerprint(), "6f3cda1802ac4895"; got != want {
		t.Errorf("Fingerprint = %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", k.Derive("label", 16)), "479dd84d163df1782566e1803faf199e"; got != want {
		t.Errorf("Derive = %s, want %s", got, want)
	}
}

func TestDerive(t *testing.T) {
	k := Ephemeral().Keys()[0]
	a := k.Derive("a", 32)
	if bytes.Equal(a, k.Derive("b", 32)) {
		t.Error("two labels give one key")
	}
	if bytes.Equal(a, Ephemeral().Keys()[0].Derive("a", 32)) {
		t.Error("two rings give one key")
	}
	want := bytes.Clone(a)
	clear(a) // the caller's own copy
	if !bytes.Equal(want, k.Derive("a", 32)) {
		t.Error("a caller changed the remembered key")
	}
	for i := range 10 * maxMemo {
		k.Derive(fmt.Sprint(i), 8)
	}
	n := 0
	k.memo.Range(func(any, any) bool { n++; return true })
	if n > maxMemo {
		t.Errorf("%d derived keys are remembered, want at most %d", n, maxMemo)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	r := Ephemeral()
	k := r.Keys()[0]
	raw := fmt.Sprintf("%v", k.secret[:8])
	raw = raw[1 : len(raw)-1]
	type holder struct {
		R *Ring
		K *Key
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		for _, v := range []any{r, k, holder{r, k}, []*Key{k}} {
			out := fmt.Sprintf(f, v)
			if strings.Contains(out, raw) || strings.Contains(out, fmt.Sprintf("%x", k.secret[:8])) {
				t.Errorf("%s of %T shows the secret: %s", f, v, out)
			}
		}
	}
}

func TestActive(t *testing.T) {
	r := Ephemeral()
	first := r.Keys()[0]
	t0 := first.ActiveFrom
	second, err := r.Rotate(t0.Add(2 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	between, err := r.Rotate(t0.Add(time.Hour)) // added later, active earlier
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		at   time.Duration
		want *Key
	}{
		{-time.Hour, first}, {0, first}, {time.Hour - 1, first}, {time.Hour, between}, {2*time.Hour - 1, between},
		{2 * time.Hour, second}, {1000 * time.Hour, second},
	} {
		if got := r.Active(t0.Add(tc.at)); got != tc.want {
			t.Errorf("at %v: %v, want %v", tc.at, got, tc.want)
		}
	}
	for _, k := range []*Key{first, second, between} {
		if got, ok := r.Key(k.ID); !ok || got != k {
			t.Errorf("Key(%d) = %v, %v", k.ID, got, ok)
		}
	}
	if _, ok := r.Key(0); ok {
		t.Error("there is a key 0")
	}
}

func TestRotateInFile(t *testing.T) {
	a, path := create(t)
	b := load(t, path)
	at := time.Now().Add(time.Hour)
	var wg sync.WaitGroup
	for i := range 10 { // two nodes on one file: no key may be lost
		wg.Go(func() {
			if _, err := []*Ring{a, b}[i%2].Rotate(at.Add(time.Duration(i) * time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c := load(t, path)
	for _, r := range []*Ring{a, b, c} {
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		if n := len(r.Keys()); n != 11 {
			t.Errorf("%d keys, want 11", n)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat: %v, %v; want mode 0600", info, err)
	}
}

func TestRotateRefuses(t *testing.T) {
	r, path := create(t)
	if _, err := r.Rotate(time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a key for the year 20000 was made")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(time.Now()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("over a damaged file: %v, want ErrCorrupt", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "{" {
		t.Errorf("the damaged file was replaced (%v)", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rotate(time.Now()); !errors.Is(err, ErrMissing) {
		t.Errorf("without the file: %v, want ErrMissing", err)
	}
	if n := len(r.Keys()); n != 1 {
		t.Errorf("%d keys after failed rotations, want 1", n)
	}
}

func TestSealAndOpen(t *testing.T) {
	r := Ephemeral()
	rapid.Check(t, func(rt *rapid.T) {
		label := rapid.String().Draw(rt, "label")
		aad := rapid.SliceOf(rapid.Byte()).Draw(rt, "aad")
		plain := rapid.SliceOf(rapid.Byte()).Draw(rt, "plain")
		blob := r.Seal(label, aad, plain)
		got, err := r.Open(label, aad, blob)
		if err != nil || !bytes.Equal(got, plain) {
			rt.Fatalf("Open = %x, %v; want %x", got, err, plain)
		}
		if _, err := r.Open(label+"x", aad, blob); !errors.Is(err, ErrOpen) {
			rt.Fatalf("another label: %v", err)
		}
		if _, err := r.Open(label, append(aad, 0), blob); !errors.Is(err, ErrOpen) {
			rt.Fatalf("other associated data: %v", err)
		}
		i := rapid.IntRange(0, len(blob)-1).Draw(rt, "byte")
		blob[i] ^= byte(rapid.IntRange(1, 255).Draw(rt, "bits"))
		if _, err := r.Open(label, aad, blob); !errors.Is(err, ErrOpen) && !errors.Is(err, ErrUnknownKey) {
			rt.Fatalf("byte %d changed: %v", i, err)
		}
	})
}

func TestOpenElsewhere(t *testing.T) {
	r := Ephemeral()
	blob := r.Seal("l", nil, []byte("secret"))
	if _, err := Ephemeral().Open("l", nil, blob); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("another ring: %v, want ErrUnknownKey", err)
	}
	if id, ok := SealedUnder(blob); !ok || id != r.Keys()[0].ID {
		t.Errorf("SealedUnder = %d, %v", id, ok)
	}
	k, err := r.Rotate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Open("l", nil, blob); err != nil || string(got) != "secret" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	if id, _ := SealedUnder(r.Seal("l", nil, nil)); id != k.ID {
		t.Errorf("sealed under %d, want the new key %d", id, k.ID)
	}
	for n := range blob {
		if _, err := r.Open("l", nil, blob[:n]); !errors.Is(err, ErrOpen) {
			t.Errorf("cut to %d bytes: %v, want ErrOpen", n, err)
		}
	}
	if _, ok := SealedUnder(blob[:10]); ok {
		t.Error("SealedUnder of a short blob")
	}
}

func FuzzDecode(f *testing.F) {
	data, err := encode(Ephemeral().Keys())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":"rolecall-keyring","version":1,"keys":[{"id":7,"created":"2026-01-01T00:00:00Z","activeFrom":"2026-01-01T00:00:00Z","secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","check":"6f3cda1802ac4895"}]}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := decode(b)
		if err != nil {
			return
		}
		again, err := encode(keys)
		if err != nil {
			t.Fatalf("encode of what was decoded: %v", err)
		}
		if k2, err := decode(again); err != nil || len(k2) != len(keys) {
			t.Fatalf("decode of what was encoded: %v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	r := Ephemeral()
	blob := r.Seal("l", []byte("a"), []byte("plain"))
	f.Add(blob)
	f.Add([]byte{})
	f.Add(blob[:sealOverhead])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := r.Open("l", []byte("a"), b); (err == nil) != bytes.Equal(b, blob) {
			t.Fatalf("Open: %v", err)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	r := Ephemeral()
	aad, plain := []byte("AKIAQNZGKIQY56JQ7WML"), make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open("access-key", aad, r.Seal("access-key", aad, plain)); err != nil {
			b.Fatal(err)
		}
	}
}
