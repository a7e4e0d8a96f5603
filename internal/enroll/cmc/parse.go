package cmc

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // RFC 5280 §4.2.1.2 method 1: an identifier, not a protection
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// Parse reads a request of any form: its bytes tell which, whatever it was called. Every signature it carries must be
// valid, and one must be of the key that is to be certified. The error is an *[hresult.Error].
func Parse(der []byte, opts Options) (*Request, error) {
	if len(der) > MaxBytes {
		return nil, malformed("it is too large")
	}
	r := &Request{Form: "pkcs10", BodyPartID: 1}
	if !isContentInfo(der) {
		return checked(r, r.read(der, nil, opts))
	}
	sd, err := parseSignedData(der)
	if err != nil {
		return nil, err
	}
	if len(sd.signers) == 0 {
		return nil, hresult.Refuse(hresult.BadSignature, "The request is not signed")
	}
	request := sd.content
	switch {
	case sd.contentType.Equal(oidData()):
		r.Form = "pkcs7"
	case sd.contentType.Equal(oidPKIData()):
		r.Form = "cmc"
		if request, err = r.pkiData(sd.content); err != nil {
			return nil, err
		}
	default:
		return nil, malformed("what is signed is neither a PKCS #10 nor PKIData")
	}
	return checked(r, r.read(request, sd, opts))
}

// isContentInfo tells CMS from PKCS #10: the first begins with an object identifier, the second with a SEQUENCE.
func isContentInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	return in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER)
}

// read reads the PKCS #10 inside and checks all signatures around it.
func (r *Request) read(der []byte, sd *signedData, opts Options) error {
	var attributes csrAttributes
	possession := func(req *x509.CertificateRequest) (err error) {
		if attributes, err = readAttributes(req); err != nil {
			return err
		}
		own := false
		if sd != nil {
			if own, err = r.checkSigners(sd, req, attributes.renewal, opts); err != nil {
				return err
			}
		}
		if own { // MS-WCCE 3.1.1.4.3.1.4: the signature around the PKCS #10 proves possession
			return nil
		}
		return r.selfSigned(req, opts)
	}
	csr, err := authority.ParseProven(der, possession)
	var refusal *authority.Error
	switch {
	case errors.As(err, &refusal) && refusal.Key == authority.ShortKey:
		return hresult.Refuse(hresult.KeyLength, "The request was refused: %s", refusal.Text)
	case errors.As(err, &refusal) && refusal.Key != "":
		return hresult.Refuse(hresult.WeakKey, "The request was refused: %s", refusal.Text)
	case errors.As(err, &refusal):
		return hresult.Refuse(hresult.InvalidData, "The request was refused: %s", refusal.Text)
	case err != nil:
		return err
	}
	r.CSR = csr
	if attributes.renewal != nil && (r.Renews == nil || !bytes.Equal(r.Renews.Raw, attributes.renewal)) {
		return hresult.Refuse(hresult.BadRenewal, "The request names a certificate to renew, and is not signed with its key")
	}
	if r.TemplateName == "" {
		r.TemplateName = attributes.template
	}
	return r.templateOf(csr.Request())
}

// selfSigned checks the signature of the PKCS #10 itself.
func (r *Request) selfSigned(req *x509.CertificateRequest, opts Options) error {
	switch req.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		r.Hash = crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		r.Hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		r.Hash = crypto.SHA512
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		if !opts.AllowSHA1 {
			return hresult.Refuse(hresult.WeakKey, "The request is signed with SHA-1, SHA-256 or stronger is required")
		}
		r.Hash = crypto.SHA1
	default:
		return hresult.Refuse(hresult.WeakKey, "The request has a signature algorithm that is not accepted, SHA-256 or stronger is required")
	}
	if req.CheckSignature() != nil {
		return hresult.Refuse(hresult.BadSignature, "The request is not signed with its own key")
	}
	return nil
}

// checkSigners checks every signature. own says that one is of the request's own key.
func (r *Request) checkSigners(sd *signedData, req *x509.CertificateRequest, renewal []byte, opts Options) (own bool, err error) {
	certificates := sd.certificates
	if renewal != nil {
		cert, err := x509.ParseCertificate(renewal)
		if err != nil {
			return false, hresult.Refuse(hresult.BadRenewal, "The certificate to renew is damaged")
		}
		certificates = append([]*x509.Certificate{cert}, certificates...)
	}
	for i := range sd.signers {
		s := &sd.signers[i]
		if s.namesKeyOf(req) {
			if err := s.verify(sd, req.PublicKey, opts); err != nil {
				return false, err
			}
			own, r.Hash = true, hashOf(s.digest, opts)
			continue
		}
		cert := s.find(certificates)
		if cert == nil {
			return false, hresult.Refuse(hresult.Signature, "The request is signed by a key that is neither its own nor that of a certificate in it")
		}
		if err := s.verify(sd, cert.PublicKey, opts); err != nil {
			return false, err
		}
		if r.Renews != nil && !r.Renews.Equal(cert) {
			return false, hresult.Refuse(hresult.TooManySigners, "The request is signed by more than one certificate")
		}
		r.Renews = cert
	}
	return own, nil
}

// namesKeyOf reports whether the signer is named by the request's own key: its SHA-1, or the identifier that the request
// itself asks for.
func (s *signerInfo) namesKeyOf(req *x509.CertificateRequest) bool {
	if s.keyID == nil {
		return false
	}
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(req.RawSubjectPublicKeyInfo, &spki); err != nil || len(rest) > 0 {
		return false
	}
	sum := sha1.Sum(spki.Key.Bytes) //nolint:gosec // see the import
	if bytes.Equal(s.keyID, sum[:]) {
		return true
	}
	for _, e := range req.Extensions {
		var id []byte
		if e.Id.Equal(oid(2, 5, 29, 14)) {
			if rest, err := asn1.Unmarshal(e.Value, &id); err == nil && len(rest) == 0 && bytes.Equal(id, s.keyID) {
				return true
			}
		}
	}
	return false
}

// find is the signer's certificate; nil if it is not there.
func (s *signerInfo) find(list []*x509.Certificate) *x509.Certificate {
	for _, c := range list {
		if s.keyID != nil {
			if len(c.SubjectKeyId) > 0 && bytes.Equal(c.SubjectKeyId, s.keyID) {
				return c
			}
			continue
		}
		serial, err := asn1.Marshal(c.SerialNumber)
		if err == nil && bytes.Equal(c.RawIssuer, s.issuer) && len(serial) > 2 && bytes.Equal(inner(serial), s.serial) {
			return c
		}
	}
	return nil
}

// inner is the content of one DER element.
func inner(der []byte) []byte {
	in := cryptobyte.String(der)
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1(&content, &tag) {
		return nil
	}
	return content
}

// checked hands out a request only without an error.
func checked(r *Request, err error) (*Request, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}
