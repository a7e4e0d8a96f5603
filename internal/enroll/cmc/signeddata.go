package cmc

import (
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain"
)

// signedData is a CMS SignedData (RFC 5652 §5.1) whose signatures have not been checked yet.
type signedData struct {
	contentType  asn1.ObjectIdentifier
	content      []byte
	certificates []*x509.Certificate
	signers      []signerInfo
}

// signerInfo is one signature (RFC 5652 §5.3).
type signerInfo struct {
	issuer, serial []byte // DER; nil if the signer is named by its key
	keyID          []byte
	digest         asn1.ObjectIdentifier
	attributes     []byte // the DER of the signed attributes as a SET, as it is signed; nil if there are none
	algorithm      algorithm
	signature      []byte
}

// algorithm is an AlgorithmIdentifier.
type algorithm struct {
	oid        asn1.ObjectIdentifier
	parameters []byte // DER; nil if absent
}

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// parseSignedData reads a ContentInfo with SignedData.
func parseSignedData(der []byte) (*signedData, error) {
	in := cryptobyte.String(der)
	var info, wrapped, seq cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData()) ||
		!info.ReadASN1(&wrapped, explicit(0)) || !info.Empty() || !wrapped.ReadASN1(&seq, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return nil, malformed("it is neither a PKCS #10 nor CMS SignedData")
	}
	var version int
	var digests, encap, content, octets, certs, signers cryptobyte.String
	var hasContent, hasCerts bool
	sd := &signedData{}
	if !seq.ReadASN1Integer(&version) || !seq.ReadASN1(&digests, cbasn1.SET) || !seq.ReadASN1(&encap, cbasn1.SEQUENCE) ||
		!encap.ReadASN1ObjectIdentifier(&sd.contentType) || !encap.ReadOptionalASN1(&content, &hasContent, explicit(0)) || !encap.Empty() || !hasContent ||
		!content.ReadASN1(&octets, cbasn1.OCTET_STRING) || !content.Empty() {
		return nil, malformed("the SignedData has no content")
	}
	sd.content = octets
	if !seq.ReadOptionalASN1(&certs, &hasCerts, explicit(0)) || !seq.SkipOptionalASN1(explicit(1)) || !seq.ReadASN1(&signers, cbasn1.SET) || !seq.Empty() {
		return nil, malformed("the SignedData is damaged")
	}
	var err error
	if sd.certificates, err = parseCertificates(certs); err != nil {
		return nil, err
	}
	for !signers.Empty() {
		if len(sd.signers) == maxSigners {
			return nil, malformed("it has too many signatures")
		}
		s, ok := readSigner(&signers)
		if !ok {
			return nil, malformed("a signature is damaged")
		}
		sd.signers = append(sd.signers, *s)
	}
	return sd, nil
}

func parseCertificates(in cryptobyte.String) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for !in.Empty() {
		var der cryptobyte.String
		if len(list) == maxCertificates || !in.ReadASN1Element(&der, cbasn1.SEQUENCE) || len(der) > certchain.MaxCertificateBytes {
			return nil, malformed("its certificates are too many, too large or of an unknown kind")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, malformed("one of its certificates is damaged")
		}
		list = append(list, cert)
	}
	return list, nil
}

func readSigner(in *cryptobyte.String) (*signerInfo, bool) {
	var seq cryptobyte.String
	var version int
	s := &signerInfo{}
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || !readSignerID(&seq, s) {
		return nil, false
	}
	digest, ok := readAlgorithm(&seq)
	if !ok {
		return nil, false
	}
	s.digest = digest.oid
	if seq.PeekASN1Tag(explicit(0)) {
		var attributes cryptobyte.String
		if !seq.ReadASN1Element(&attributes, explicit(0)) {
			return nil, false
		}
		// RFC 5652 §5.4: what is signed is the SET, not the implicit tag.
		s.attributes = append([]byte{byte(cbasn1.SET)}, attributes[1:]...)
	}
	var signature cryptobyte.String
	if s.algorithm, ok = readAlgorithm(&seq); !ok || !seq.ReadASN1(&signature, cbasn1.OCTET_STRING) || !seq.SkipOptionalASN1(explicit(1)) || !seq.Empty() {
		return nil, false
	}
	s.signature = signature
	return s, true
}

func readSignerID(seq *cryptobyte.String, s *signerInfo) bool {
	if tag := cbasn1.Tag(0).ContextSpecific(); seq.PeekASN1Tag(tag) {
		var id cryptobyte.String
		ok := seq.ReadASN1(&id, tag)
		s.keyID = id
		return ok && len(id) > 0
	}
	var pair, issuer, serial cryptobyte.String
	if !seq.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !pair.ReadASN1(&serial, cbasn1.INTEGER) || !pair.Empty() {
		return false
	}
	s.issuer, s.serial = issuer, serial
	return len(serial) > 0
}

func readAlgorithm(in *cryptobyte.String) (algorithm, bool) {
	var seq cryptobyte.String
	var a algorithm
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&a.oid) {
		return a, false
	}
	if len(seq) > 0 {
		a.parameters = seq
	}
	return a, true
}
