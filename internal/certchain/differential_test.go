package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestDifferentialAgainstCryptoX509 builds random hierarchies with random faults and compares the
// verdict with crypto/x509.Verify. The two are known to differ in what randomChain avoids:
// self-issued intermediates, names equal only after folding, EKU (compared apart), host names
// in URI and email constraints.
func TestDifferentialAgainstCryptoX509(t *testing.T) {
	const rounds = 400
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	accepted := 0
	for i := range rounds {
		anchor, leaf, chain := randomChain(t, rng)
		_, err := verify(t, anchorsOf(t, anchor), leaf, chain...)
		want := goVerify(anchor, leaf, chain)
		if (err == nil) != (want == nil) {
			t.Fatalf("round %d: we say %v, crypto/x509 says %v\n%s", i, err, want, pemOf(append([]*entity{anchor, leaf}, chain...)...))
		}
		if err == nil {
			accepted++
		}
	}
	if accepted < rounds/10 || accepted > rounds*9/10 {
		t.Errorf("%d of %d accepted: the generator is lopsided", accepted, rounds)
	}
}

func goVerify(anchor, leaf *entity, chain []*entity) error {
	roots, inters := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(anchor.cert)
	for _, e := range chain {
		inters.AddCert(e.cert)
	}
	_, err := leaf.cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: inters, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// randomChain returns an anchor (the root or an intermediate), a leaf and its shuffled chain.
func randomChain(t *testing.T, rng *rand.Rand) (anchor, leaf *entity, chain []*entity) {
	domains := []string{"example.com", "a.example.com", "b.test", ".example.com"}
	fault := func(c *x509.Certificate) {
		switch rng.IntN(24) {
		case 0:
			c.NotAfter = testNow.Add(-time.Minute)
		case 1:
			c.NotBefore = testNow.Add(time.Minute)
		case 2:
			c.MaxPathLen, c.MaxPathLenZero = rng.IntN(2), true
		case 3:
			c.PermittedDNSDomains = []string{domains[rng.IntN(len(domains))]}
		case 4:
			c.ExcludedDNSDomains = []string{domains[rng.IntN(len(domains))]}
		}
	}
	casFault := func(c *x509.Certificate) {
		fault(c)
		switch rng.IntN(40) {
		case 0:
			c.IsCA, c.MaxPathLen, c.MaxPathLenZero = false, 0, false
		case 1:
			c.KeyUsage = x509.KeyUsageCRLSign
		case 2:
			c.KeyUsage = 0
		case 3:
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: rng.IntN(2) == 0, Value: []byte{5, 0}}}
		}
	}
	top := newRoot(t, fault)
	cas := []*entity{top}
	for i := range rng.IntN(4) {
		cas = append(cas, cas[len(cas)-1].ca(t, fmt.Sprintf("CA %d", i), casFault))
	}
	leaf = cas[len(cas)-1].leaf(t, func(c *x509.Certificate) {
		hosts := []string{"a.example.com", "example.com", "x.b.test", "c.test", "*.example.com"}
		c.DNSNames = []string{hosts[rng.IntN(len(hosts))]}
		if rng.IntN(15) == 0 {
			c.NotAfter = testNow.Add(-time.Minute)
		}
	})
	from := 0
	if len(cas) > 1 && rng.IntN(4) == 0 {
		from = 1
	}
	if cand := cas[from]; cand.cert.IsCA && cand.cert.KeyUsage&x509.KeyUsageCertSign != 0 && len(cand.cert.UnhandledCriticalExtensions) == 0 {
		anchor = cand
	} else {
		anchor, from = top, 0
	}
	chain = append(chain, cas[from+1:]...)
	if len(chain) > 0 && rng.IntN(8) == 0 {
		chain = chain[1:] // an intermediate is missing
	}
	if rng.IntN(3) == 0 {
		chain = append(chain, newRoot(t, func(c *x509.Certificate) { c.Subject.CommonName = "Stranger" }))
	}
	if rng.IntN(3) == 0 {
		chain = append(chain, newRoot(t)) // the anchor's name with another key
	}
	rng.Shuffle(len(chain), func(i, j int) { chain[i], chain[j] = chain[j], chain[i] })
	return anchor, leaf, chain
}
