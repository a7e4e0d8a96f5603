package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// pki is a CA with end-entity certificates of one kind of key.
type pki struct {
	kind   keyKind
	ca     *x509.Certificate
	caKey  crypto.Signer
	caPEM  string
	key    crypto.Signer // of every end-entity certificate
	leaf   *x509.Certificate
	leaves []*x509.Certificate // for cold chains: one key, distinct serials and names
}

func newPKI(kind keyKind) (*pki, error) {
	p := &pki{kind: kind}
	var err error
	if p.caKey, err = newKey(kind); err != nil {
		return nil, err
	}
	if p.key, err = newKey(kind); err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench CA " + string(kind), Organization: []string{"Example"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.caKey.Public(), p.caKey)
	if err != nil {
		return nil, err
	}
	if p.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	p.caPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	p.leaf, err = p.issue(0)
	return p, err
}

// issue makes the end-entity certificate number n.
func (p *pki) issue(n int) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("workload-%06d.bench.example", n)
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1<<32)),
		Subject:      pkix.Name{CommonName: name, OrganizationalUnit: []string{"Bench"}, Organization: []string{"Example"}},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 7),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, p.key.Public(), p.caKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// issueMany makes n certificates for cold chains on all CPUs.
func (p *pki) issueMany(n int) error {
	p.leaves = make([]*x509.Certificate, n)
	return inParallel(n, func(i int) (err error) {
		p.leaves[i], err = p.issue(i + 1)
		return err
	})
}

// inParallel calls fn with 0 to n-1.
func inParallel(n int, fn func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	const chunk = 64
	for from := 0; from < n; from += chunk {
		g.Go(func() error {
			for i := from; i < min(from+chunk, n); i++ {
				if err := fn(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
