package authority

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"
)

// writeList is a list of the entries.
func writeList(t testing.TB, i *Issuer, l *List, entries ...Revocation) []byte {
	t.Helper()
	var encoded []byte
	for k := range entries {
		var err error
		if encoded, err = AppendRevocation(encoded, &entries[k]); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	n, err := i.WriteCRL(&out, l, bytes.NewReader(encoded), int64(len(encoded)))
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(out.Len()) {
		t.Errorf("%d bytes said, %d written", n, out.Len())
	}
	return out.Bytes()
}

// TestCRL has OpenSSL check and read a list.
func TestCRL(t *testing.T) {
	root := newRoot(t, RSA2048)
	leaf := issue(t, root, &Request{CSR: leafCSR(t, "gone"), Template: template(t, DefaultTemplate)})
	var entries []Revocation
	for _, r := range Reasons() {
		entries = append(entries, Revocation{big.NewInt(int64(1000 + r)), now, r})
	}
	entries = append(entries, Revocation{leaf.SerialNumber, now, 1})
	der := writeList(t, root, &List{Algorithm: "SHA384WITHRSA", Now: now, Life: 7 * 24 * time.Hour}, entries...)
	crl := file(t, "list.crl", der)
	ca := file(t, "ca.pem", certPEM(root.Certificate))
	text := openssl(t, "crl", "-inform", "DER", "-in", crl, "-CAfile", ca, "-noout", "-text")
	for _, want := range []string{"verify OK", "sha384WithRSAEncryption", "Key Compromise", "AA Compromise", "Privilege Withdrawn", "Superseded", fmt.Sprintf("%X", leaf.SerialNumber)} {
		if !strings.Contains(strings.ReplaceAll(text, ":", ""), strings.ReplaceAll(want, ":", "")) {
			t.Errorf("openssl does not read %q in\n%s", want, text)
		}
	}
}

// TestCRLOfEachKey: empty lists, partitions and times after 2050 read back as they were meant, with a good signature.
func TestCRLOfEachKey(t *testing.T) {
	for _, k := range []struct {
		key KeyAlgorithm
		alg SigningAlgorithm
	}{{P256, "SHA256WITHECDSA"}, {P384, "SHA384WITHECDSA"}, {P521, "SHA512WITHECDSA"}, {RSA2048, "SHA512WITHRSA"}} {
		root := newRoot(t, k.key)
		late := time.Date(2051, 2, 3, 4, 5, 6, 0, time.UTC)
		l := &List{Algorithm: k.alg, Now: now, Life: 24 * time.Hour, Partition: "http://crl.example/p/1.crl"}
		for _, entries := range [][]Revocation{nil, {{big.NewInt(0x80), now, 0}, {big.NewInt(7), late, 5}}} {
			list, err := x509.ParseRevocationList(writeList(t, root, l, entries...))
			if err != nil {
				t.Fatal(err)
			}
			if err := list.CheckSignatureFrom(root.Certificate); err != nil {
				t.Errorf("%s: %v", k.key, err)
			}
			if len(list.RevokedCertificateEntries) != len(entries) || list.Number.Int64() != now.UnixMilli() || !list.NextUpdate.Equal(now.Add(24*time.Hour)) {
				t.Errorf("%s: %d entries, number %s, until %s", k.key, len(list.RevokedCertificateEntries), list.Number, list.NextUpdate)
			}
			for n, e := range list.RevokedCertificateEntries {
				if w := entries[n]; e.SerialNumber.Cmp(w.Serial) != 0 || !e.RevocationTime.Equal(w.At) || e.ReasonCode != int(w.Reason) {
					t.Errorf("%s: entry %v, want %v", k.key, e, w)
				}
			}
			text := openssl(t, "crl", "-inform", "DER", "-in", file(t, "p.crl", list.Raw), "-noout", "-text")
			if !strings.Contains(text, "Issuing Distribution Point: critical") || !strings.Contains(text, l.Partition) {
				t.Errorf("%s: no critical issuing distribution point in\n%s", k.key, text)
			}
		}
	}
}

func TestCRLRefused(t *testing.T) {
	root := newRoot(t, P256)
	short := bytes.NewReader([]byte{0x30})
	for what, fn := range map[string]func() (int64, error){
		"no life": func() (int64, error) {
			return root.WriteCRL(&bytes.Buffer{}, &List{Algorithm: root.signs(), Now: now}, short, 1)
		},
		"other algorithm": func() (int64, error) {
			return root.WriteCRL(&bytes.Buffer{}, &List{Algorithm: "SHA256WITHRSA", Now: now, Life: 1}, short, 1)
		},
		"entries missing": func() (int64, error) {
			return root.WriteCRL(&bytes.Buffer{}, &List{Algorithm: root.signs(), Now: now, Life: time.Hour}, short, 2)
		},
		"no certificate": func() (int64, error) {
			return newIssuer(t, "bare", P256).WriteCRL(&bytes.Buffer{}, &List{Algorithm: "SHA256WITHECDSA", Now: now, Life: time.Hour}, short, 1)
		},
	} {
		if _, err := fn(); err == nil {
			t.Errorf("%s: a list was signed", what)
		}
	}
}

// repeated is a list's entries without their memory.
type repeated struct {
	one []byte
	n   int64
}

func (r repeated) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = r.one[(off+int64(i))%int64(len(r.one))]
	}
	return len(p), nil
}

type discard struct{ n int64 }

func (d *discard) Write(p []byte) (int, error) { d.n += int64(len(p)); return len(p), nil }

// BenchmarkCRLMillion signs a list of a million entries, and reports what it allocates meanwhile.
func BenchmarkCRLMillion(b *testing.B) {
	root := newRoot(b, P256)
	serial := new(big.Int).Lsh(big.NewInt(0x5a), 120)
	one, err := AppendRevocation(nil, &Revocation{serial, now, 1})
	if err != nil {
		b.Fatal(err)
	}
	var out discard
	var before, after runtime.MemStats
	for b.Loop() {
		out.n = 0
		runtime.ReadMemStats(&before)
		if _, err := root.WriteCRL(&out, &List{Algorithm: "SHA256WITHECDSA", Now: now, Life: time.Hour}, repeated{one, 0}, int64(len(one))*1_000_000); err != nil {
			b.Fatal(err)
		}
		runtime.ReadMemStats(&after)
	}
	b.ReportMetric(float64(out.n)/1e6, "MB/list")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1024, "KiB-allocated")
}
