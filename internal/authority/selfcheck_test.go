package authority

import (
	"crypto"
	"io"
	"strings"
	"testing"
)

// faultyKeys signs something else than it is asked to while broken.
type faultyKeys struct {
	Keys
	broken *bool
}

type faultyKey struct {
	crypto.Signer
	broken *bool
}

func (k faultyKeys) Use(id string, ref []byte, fn func(crypto.Signer) error) error {
	return k.Keys.Use(id, ref, func(key crypto.Signer) error { return fn(faultyKey{key, k.broken}) })
}

func (k faultyKey) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if *k.broken {
		digest = append([]byte{digest[0] ^ 1}, digest[1:]...)
	}
	return k.Signer.Sign(random, digest, opts)
}

// TestFaultySignature: what a faulty key signs is seen by nobody, also when the CA is busy and its key prepared.
func TestFaultySignature(t *testing.T) {
	for _, a := range []KeyAlgorithm{P256, P384, RSA2048} {
		for _, busy := range []bool{false, true} {
			root := newRoot(t, a)
			broken := false
			root.Keys = faultyKeys{root.Keys, &broken}
			if busy {
				root.Busy()
			}
			csr := leafCSR(t, "a")
			for round := range 2 * preparedAfter {
				broken = round%4 == 3
				if _, err := try(root, &Request{CSR: csr, Template: template(t, "EndEntityCertificate")}); broken && (err == nil || !strings.Contains(err.Error(), "not valid")) || !broken && err != nil {
					t.Fatalf("%s, busy %v, round %d: %v", a, busy, round, err)
				}
			}
			if busy && (root.check.prepared.Load() != nil) != (a == P256) {
				t.Errorf("%s: prepared %v", a, root.check.prepared.Load() != nil)
			}
		}
	}
}
