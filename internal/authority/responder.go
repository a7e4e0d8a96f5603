package authority

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

// ResponderLabel is the key ring label of OCSP responders' keys. It never changes: sealed keys are stored.
const ResponderLabel = "ocsp-responder-key"

// Responders makes and opens the responders of CAs. Their keys are sealed under the key ring, bound to their CA.
type Responders struct{ Ring *keyring.Ring }

// Make gives the CA a responder: a new key and a certificate for it, valid for life or to the end of the CA's own.
func (k Responders) Make(i *Issuer, a SigningAlgorithm, now time.Time, life time.Duration) (ref []byte, cert *x509.Certificate, err error) {
	if i.Certificate == nil {
		return nil, nil, errors.New("authority: a CA without a certificate has no responder")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := responderCSR(i.Subject, key)
	if err != nil {
		return nil, nil, err
	}
	template, err := FindTemplate("arn:aws" + templateARNPrefix + "OCSPSigningCertificate_CSRPassthrough" + templateVersion)
	if err != nil {
		return nil, nil, err
	}
	end := now.Add(life)
	if end.After(i.Certificate.NotAfter) {
		end = i.Certificate.NotAfter
	}
	plain := *i // RFC 6960 §4.2.2.2.1: nobody checks a certificate with nocheck, so it says nowhere to look
	plain.DistributionPoint, plain.OCSP, plain.CAIssuers = "", "", ""
	token, err := Prepare(&plain, &Request{CSR: csr, Template: template, Algorithm: a, Validity: Validity{Absolute, end.Unix()}, Now: now})
	if err != nil {
		return nil, nil, err
	}
	if cert, err = plain.Issue(token); err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	defer clear(der)
	return k.Ring.Seal(ResponderLabel, []byte(i.ID), der), cert, nil
}

// Open makes the responder of the CA with the id ready to sign. Its key stays open as long as the responder lives: it is
// good for nothing but answers, and for a few days.
func (k Responders) Open(id string, ref, certificate []byte) (*Responder, error) {
	der, err := k.Ring.Open(ResponderLabel, []byte(id), ref)
	if err != nil {
		return nil, fmt.Errorf("key of the OCSP responder of certificate authority %s: %w", id, err)
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("key of the OCSP responder of certificate authority %s is damaged", id)
	}
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of the OCSP responder of certificate authority %s: %w", id, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("the OCSP responder of certificate authority %s has a certificate of another key", id)
	}
	return newResponder(cert, key)
}

// responderCSR asks for a responder's certificate. The name is below the CA's, so that name constraints on the CA hold.
func responderCSR(subject []byte, key crypto.Signer) (*CSR, error) {
	var name []asn1.RawValue
	if _, err := asn1.Unmarshal(subject, &name); err != nil {
		return nil, err
	}
	own, err := asn1.Marshal(pkix.Name{CommonName: "OCSP responder"}.ToRDNSequence()[0])
	if err != nil {
		return nil, err
	}
	// The CA's own common name is left out: a name has one, and at most so many attributes.
	kept := name[:0]
	for _, part := range name {
		if !bytes.Contains(part.FullBytes, []byte{6, 3, 0x55, 4, 3}) && len(kept) < maxAttributes-1 {
			kept = append(kept, part)
		}
	}
	raw, err := asn1.Marshal(append(kept, asn1.RawValue{FullBytes: own}))
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		RawSubject:      raw,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: asn1.NullBytes}}, // id-pkix-ocsp-nocheck
	}, key)
	if err != nil {
		return nil, err
	}
	return ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}
