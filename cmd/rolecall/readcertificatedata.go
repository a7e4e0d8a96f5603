package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

func readCertificateData() command {
	return command{
		name:  "read-certificate-data",
		short: "Print what a certificate says about its key",
		flags: []flag{
			{name: flagCertificate, arg: "FILE", help: "certificate, PEM or DER; only the first one is read"},
			{name: flagSelector, arg: "SELECTOR", help: "certificates in the system's store; not in this build"},
			{name: flagStoreName, value: "MY", arg: "NAME", help: "Windows certificate store; not in this build"},
			{name: flagPKCS11Lib, arg: "FILE", help: "PKCS#11 module; not in this build"},
			{name: flagDebug, kind: boolFlag, help: "no effect here"},
		},
		groups: []group{{flagCertificate, flagSelector}, {flagCertificate, flagStoreName}},
		run:    runReadCertificateData,
	}
}

// certificateData is the official helper's answer; the order of the members is part of it.
type certificateData struct {
	KeyType    string   `json:"keyType"`
	Data       string   `json:"certificateData"`
	Serial     string   `json:"serialNumber"`
	Algorithms []string `json:"supportedAlgorithms"`
}

func runReadCertificateData(_ context.Context, p *program, in *inputs) error {
	if _, err := source(in); err != nil {
		return err
	}
	certs, err := file.LoadCertificates(in.text(flagCertificate))
	if err != nil {
		return err
	}
	out, err := json.Marshal(describe(certs[0]))
	if err != nil {
		return err
	}
	return p.output(out)
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
