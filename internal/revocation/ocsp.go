package revocation

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 5019 §2.1.1: what responders know issuers by; it protects nothing
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// skew is how far ahead a source's clock may be.
const skew = 5 * time.Minute

// withoutNext is how long an answer without nextUpdate counts, from its thisUpdate.
const withoutNext = time.Hour

// askOCSP asks the responders that the certificate names. There is no nonce: responders that sign ahead cannot give it
// back (RFC 5019 §2.1.1), and answers have their times.
func (c *Checker) askOCSP(ctx context.Context, cert, issuer *x509.Certificate) (verdict, error) {
	if len(cert.OCSPServer) == 0 {
		return verdict{}, errors.New("the certificate names no OCSP responder")
	}
	request, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return verdict{}, err
	}
	var last error
	for _, address := range cert.OCSPServer[:min(len(cert.OCSPServer), maxAddresses)] {
		var body []byte
		if body, last = c.fetch.post(ctx, address, request); last == nil {
			var v verdict
			if v, last = readOCSP(body, cert, issuer, c.cfg.Clock()); last == nil {
				return v, nil
			}
		}
		c.failures[OCSP].Add(1)
		last = fmt.Errorf("the OCSP responder %s: %w", clip(address), last)
	}
	return verdict{}, last
}

// readOCSP judges a response (RFC 6960 §3.2).
func readOCSP(body []byte, cert, issuer *x509.Certificate, now time.Time) (verdict, error) {
	resp, err := ocsp.ParseResponseForCert(body, cert, nil)
	if err != nil {
		return verdict{}, fmt.Errorf("its response is not usable: %w", err)
	}
	if !answersFor(resp.TBSResponseData, cert.SerialNumber, issuer) {
		return verdict{}, errors.New("its response is about a certificate of another issuer")
	}
	signer := issuer
	if d := resp.Certificate; d != nil && !bytes.Equal(d.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) {
		if err := checkDelegate(d, issuer, now); err != nil {
			return verdict{}, err
		}
		signer = d
	}
	if weak(resp.SignatureAlgorithm) || resp.CheckSignatureFrom(signer) != nil {
		return verdict{}, errors.New("its response is not signed by the issuer or a responder of the issuer")
	}
	until := resp.NextUpdate
	if until.IsZero() {
		until = resp.ThisUpdate.Add(withoutNext)
	}
	if resp.ThisUpdate.After(now.Add(skew)) || !until.After(now) {
		return verdict{}, fmt.Errorf("its response is for the time from %s to %s", stamp(resp.ThisUpdate), stamp(until))
	}
	v := verdict{updated: resp.ThisUpdate, until: until}
	switch resp.Status {
	case ocsp.Good:
		v.state = good
	case ocsp.Revoked:
		v.state = revoked
		v.detail = fmt.Sprintf("the OCSP responder says that the certificate with serial number %s was revoked at %s", serialHex(cert), stamp(resp.RevokedAt))
	default:
		return verdict{}, errors.New("it does not know the certificate")
	}
	return v, nil
}

// checkDelegate holds the rules of RFC 6960 §4.2.2.2. A responder without id-pkix-ocsp-nocheck would have to be checked
// itself, for which there is nobody to ask: it is refused.
func checkDelegate(d, issuer *x509.Certificate, now time.Time) error {
	if !bytes.Equal(d.RawIssuer, issuer.RawSubject) || weak(d.SignatureAlgorithm) || d.CheckSignatureFrom(issuer) != nil {
		return errors.New("its certificate was not issued by the certificate's issuer")
	}
	if !slices.Contains(d.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
		return errors.New("its certificate is not for OCSP signing")
	}
	if now.Before(d.NotBefore) || now.After(d.NotAfter) {
		return errors.New("its certificate is not valid now")
	}
	noCheck := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	for _, e := range d.Extensions {
		if e.Id.Equal(noCheck) {
			return nil
		}
	}
	return errors.New("its certificate lacks id-pkix-ocsp-nocheck")
}

func weak(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	return false
}

// answersFor reports whether the first answer for the serial number names the issuer: the parser compares serials only.
func answersFor(data []byte, serial *big.Int, issuer *x509.Certificate) bool {
	in := cryptobyte.String(data)
	var body, responder, single, list cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!body.ReadAnyASN1(&responder, &tag) || !body.SkipASN1(cbasn1.GeneralizedTime) || !body.ReadASN1(&list, cbasn1.SEQUENCE) {
		return false
	}
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &spki); err != nil {
		return false
	}
	name, key := sha1.Sum(issuer.RawSubject), sha1.Sum(spki.Key.RightAlign()) //nolint:gosec // see the import
	for list.ReadASN1(&single, cbasn1.SEQUENCE) {
		var id cryptobyte.String
		var nameHash, keyHash []byte
		n := new(big.Int)
		if !single.ReadASN1(&id, cbasn1.SEQUENCE) || !id.SkipASN1(cbasn1.SEQUENCE) || !id.ReadASN1Bytes(&nameHash, cbasn1.OCTET_STRING) ||
			!id.ReadASN1Bytes(&keyHash, cbasn1.OCTET_STRING) || !id.ReadASN1Integer(n) {
			return false
		}
		if n.Cmp(serial) == 0 {
			return bytes.Equal(nameHash, name[:]) && bytes.Equal(keyHash, key[:])
		}
	}
	return false
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clip bounds what a certificate says, for messages.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
