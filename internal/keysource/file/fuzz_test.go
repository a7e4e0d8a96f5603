package file

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse: no input makes the reader of key and certificate files fail in any way but with an error, and what it
// accepts can be turned into a signer or is refused.
func FuzzParse(f *testing.F) {
	seedAll(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			return
		}
		if p == nil || len(p.certificates) > maxCertificates {
			t.Fatal("no result, or one beyond the limits")
		}
		if p.key == nil || p.key.encrypted {
			return // FuzzDecrypt bounds the work
		}
		if signer, err := p.key.signer(nil); err == nil && signer == nil {
			t.Fatal("neither signer nor error")
		}
	})
}

// FuzzDecrypt: no encrypted key asks for more work than the limits.
func FuzzDecrypt(f *testing.F) {
	seedAll(f, func(b []byte) {
		if block, _ := pem.Decode(b); block != nil {
			b = block.Bytes
		}
		f.Add(b)
	})
	limits := workLimits{rounds: 10, memory: 1 << 20, p: 2}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := decryptPKCS8(b, []byte("sesame"), limits)
		if err == nil && len(out) > len(b) {
			t.Fatal("more plain text than there was data")
		}
	})
}

func seedAll(f *testing.F, add func([]byte)) {
	f.Helper()
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) < 30 {
		f.Fatalf("%d seeds: %v", len(names), err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
	}
}
