package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

// identity checks files, key and certificate; nil: there is none to go on with.
func (x *examination) identity(ctx context.Context) *keysource.Identity {
	x.secretFiles()
	src, err := source(x.in)
	if err != nil {
		x.fail("identity", err)
		return nil
	}
	id, err := src.Load(ctx)
	if err != nil {
		x.fail("identity", err)
		return nil
	}
	for _, w := range id.Warnings() {
		x.add("files", bad, w, "")
	}
	leaf := id.Leaf()
	x.add("identity", good, fmt.Sprintf("key and certificate belong together: %s, serial %x", leaf.Subject, leaf.SerialNumber), "")
	now := time.Now()
	if w := keysource.Validity(leaf, now); w != "" {
		x.add("validity", bad, w, "renew the certificate, or set the clock if that is wrong")
	} else if left := leaf.NotAfter.Sub(now); left < 72*time.Hour && left < leaf.NotAfter.Sub(leaf.NotBefore)/10 {
		x.add("validity", warning, "the certificate expires in "+left.Round(time.Minute).String(), "renew it")
	} else {
		x.add("validity", good, "valid until "+leaf.NotAfter.UTC().Format("2006-01-02 15:04:05 UTC"), "")
	}
	x.usage(leaf)
	if path := x.in.text(flagCA); path != "" {
		x.chain(ctx, id, path, now)
	}
	return id
}

// secretFiles checks that passwords and PINs are not for everybody, which the key's file is checked for when it is loaded.
func (x *examination) secretFiles() {
	for _, name := range secretNames() {
		path := x.in.text(name + fromFile)
		if path == "" || runtime.GOOS == "windows" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o006 != 0 {
			x.add("files", bad, fmt.Sprintf("every user can read or change the file of --%s%s, %s (mode %04o)", name, fromFile, path, info.Mode().Perm()), "chmod 600 "+path)
		}
	}
}

// usage checks what the service demands of end-entity certificates (IAM Roles Anywhere User Guide, signature validation).
func (x *examination) usage(leaf *x509.Certificate) {
	before := x.count(bad)
	const ask = "have a certificate issued for TLS clients: CA:FALSE, key usage digitalSignature"
	switch {
	case leaf.Version != 3:
		x.add("certificate", bad, fmt.Sprintf("it is of X.509 version %d, not 3", leaf.Version), ask)
	case leaf.IsCA:
		x.add("certificate", bad, "it is a CA's (CA:TRUE), and a workload's is needed", ask)
	case leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		x.add("certificate", bad, "its key usage lacks digitalSignature", ask)
	case len(leaf.RawSubject) <= 2:
		x.add("certificate", bad, "its subject is empty, and that is what the workload is known by", "have one with a subject issued")
	}
	client := len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) == 0
	for _, u := range leaf.ExtKeyUsage {
		client = client || u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny
	}
	if !client {
		x.add("certificate", warning, "its extended key usage lacks clientAuth", "some servers refuse it: have one with clientAuth issued")
	}
	switch leaf.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		x.add("certificate", bad, fmt.Sprintf("it is signed with %s, which is refused", leaf.SignatureAlgorithm), "let the CA sign with SHA-256 or better")
	}
	if k, ok := leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		x.add("certificate", bad, fmt.Sprintf("its RSA key has %d bits", k.N.BitLen()), "use a key of 2048 bits or more, or P-256")
	}
	if x.count(bad) == before {
		x.add("certificate", good, fmt.Sprintf("an end-entity certificate for signatures, signed with %s", leaf.SignatureAlgorithm), "")
	}
}

// chain checks the path to the certificates of the trust anchor.
func (x *examination) chain(ctx context.Context, id *keysource.Identity, path string, now time.Time) {
	if _, err := os.Stat(path); err != nil {
		x.add("chain", bad, "cannot read --ca: "+err.Error(), "name a file with the trust anchor's certificates")
		return
	}
	anchors, err := (&file.Source{Certificate: path}).Certificates(ctx)
	if err != nil {
		x.fail("chain", err)
		return
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: now}
	if keysource.Validity(id.Leaf(), now) != "" {
		opts.CurrentTime = id.Leaf().NotBefore // its own period has been told of
	}
	var names []string
	for _, c := range anchors {
		opts.Roots.AddCert(c)
		names = append(names, c.Subject.String())
	}
	for _, c := range id.Chain() {
		opts.Intermediates.AddCert(c)
	}
	if _, err := id.Leaf().Verify(opts); err != nil {
		x.add("chain", bad, fmt.Sprintf("the certificate, issued by %s, does not lead to %s: %v", id.Leaf().Issuer, strings.Join(names, " or "), err),
			"pass the certificates in between to --intermediates, or use the trust anchor of the CA that issued it")
		return
	}
	x.add("chain", good, "the certificate leads to "+strings.Join(names, " or "), "")
}
