package main

import (
	"context"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/early/certificate"
	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

func readCertificateData() command {
	return command{
		name:  "read-certificate-data",
		short: "Print what a certificate says about its key",
		flags: append([]flag{
			{name: flagCertificate, arg: "FILE", help: "certificate, PEM, DER or PKCS#12, of which the first one is read; or a pkcs11: URI, whose certificates are listed"},
			{name: flagCertStore, arg: "PATH", help: "folder or file with certificates and their keys, which are listed"},
			{name: flagSelector, arg: "SELECTOR", help: "which certificates of the store to list"},
			{name: flagStoreName, value: "MY", arg: "NAME", help: storeNameHelp},
			{name: flagPKCS11Lib, arg: "FILE", help: "PKCS#11 module (default: p11-kit's proxy for all configured ones)"},
			{name: flagPassword, arg: "PASSWORD", help: "password of a PKCS#12 file; other users can see it in the process list"},
			{name: flagDebug, kind: boolFlag, help: "no effect here"},
		}, secretFlags(flagPassword, "a PKCS#12 file")...),
		groups: []group{{flagCertificate, flagSelector}, {flagCertificate, flagStoreName}},
		run:    runReadCertificateData,
	}
}

func runReadCertificateData(ctx context.Context, p *program, in *inputs) error {
	src, err := source(in)
	if err != nil {
		return err
	}
	var listed []pkcs11.Listed
	switch s := src.(type) {
	case *pkcs11.Source:
		if listed, err = s.List(ctx); err != nil {
			return err
		}
		return p.output([]byte(identities(listed)))
	case interface {
		List(context.Context) ([]selector.Candidate, error)
	}:
		found, err := s.List(ctx)
		if err != nil {
			return err
		}
		for _, c := range found {
			listed = append(listed, pkcs11.Listed{Certificate: c.Certificate})
		}
		return p.output([]byte(identities(listed)))
	}
	certs, err := fileSource(in).Certificates(ctx)
	if err != nil {
		return err
	}
	return p.output(describe(certs[0]).JSON())
}

// describe says what a certificate says about its key.
func describe(c *x509.Certificate) *certificate.Data {
	d := &certificate.Data{DER: c.Raw, Serial: c.SerialNumber}
	switch c.PublicKeyAlgorithm {
	case x509.RSA:
		d.KeyType = "RSA"
	case x509.ECDSA:
		d.KeyType = "EC"
	default:
		d.KeyType = keysource.MLDSA(c.RawSubjectPublicKeyInfo)
		return d
	}
	d.SetAlgorithms()
	return d
}

// identities lists certificates as the official helper does.
func identities(list []pkcs11.Listed) string {
	if len(list) == 0 {
		return "No matching identities\n"
	}
	var b strings.Builder
	b.WriteString("Matching identities\n")
	for i, l := range list {
		sum := sha1.Sum(l.Certificate.Raw) // a name, not a proof
		fmt.Fprintf(&b, "%d) Hex Fingerprint: %x\nSubject: %s\nIssuer: %s\nSerial Number: %s\n", i+1, sum,
			printable(l.Certificate.Subject.String()), printable(l.Certificate.Issuer.String()), strings.ToUpper(l.Certificate.SerialNumber.Text(16)))
		if l.URI != "" {
			b.WriteString("URI: " + l.URI + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}
