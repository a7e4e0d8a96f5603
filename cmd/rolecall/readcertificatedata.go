package main

import (
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

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

// certificateData is the official helper's answer; the order of the members is part of it.
type certificateData struct {
	KeyType    string
	Data       string // base64 of the DER
	Serial     string // decimal
	Algorithms []string
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
	return p.output(describe(certs[0]).json())
}

// json writes the members without a JSON package, whose first use costs more than the rest of the command: digits, base64
// and names of our own need no escapes.
func (d certificateData) json() []byte {
	algorithms := "[]"
	if len(d.Algorithms) > 0 {
		algorithms = `["` + strings.Join(d.Algorithms, `","`) + `"]`
	}
	return []byte(`{"keyType":"` + d.KeyType + `","certificateData":"` + d.Data + `","serialNumber":"` + d.Serial + `","supportedAlgorithms":` + algorithms + `}`)
}

func describe(c *x509.Certificate) certificateData {
	d := certificateData{Data: base64.StdEncoding.EncodeToString(c.Raw), Serial: c.SerialNumber.String(), Algorithms: []string{}}
	switch c.PublicKeyAlgorithm {
	case x509.RSA:
		d.KeyType = "RSA"
	case x509.ECDSA:
		d.KeyType = "EC"
	default:
		// Nothing is claimed to be supported for other keys; the official helper lists nameless algorithms there.
		d.KeyType = keysource.MLDSA(c.RawSubjectPublicKeyInfo)
		return d
	}
	for _, hash := range []string{"SHA256", "SHA384", "SHA512"} {
		d.Algorithms = append(d.Algorithms, d.KeyType+hash)
	}
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
