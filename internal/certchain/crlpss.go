package certchain

import (
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// pssAlgorithm reads RSASSA-PSS-params (RFC 4055 §3.1). Only the combinations that crypto/x509
// verifies are accepted: one hash for both, a salt of the hash's length, trailer field 1.
func pssAlgorithm(params cryptobyte.String) x509.SignatureAlgorithm {
	unknown := x509.UnknownSignatureAlgorithm
	var seq cryptobyte.String
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !params.Empty() {
		return unknown
	}
	var hash, mgf, salt cryptobyte.String
	if !seq.ReadASN1(&hash, explicitTag(0)) || !seq.ReadASN1(&mgf, explicitTag(1)) || !seq.ReadASN1(&salt, explicitTag(2)) {
		return unknown
	}
	if seq.PeekASN1Tag(explicitTag(3)) {
		var field cryptobyte.String
		var trailer int
		if !seq.ReadASN1(&field, explicitTag(3)) || !field.ReadASN1Integer(&trailer) || !field.Empty() || trailer != 1 {
			return unknown
		}
	}
	var mgfSeq cryptobyte.String
	var mgfOID asn1.ObjectIdentifier
	var saltLength int
	if !seq.Empty() || !mgf.ReadASN1(&mgfSeq, cbasn1.SEQUENCE) || !mgf.Empty() ||
		!mgfSeq.ReadASN1ObjectIdentifier(&mgfOID) || mgfOID.String() != "1.2.840.113549.1.1.8" ||
		!salt.ReadASN1Integer(&saltLength) || !salt.Empty() {
		return unknown
	}
	digest, ok := hashIdentifier(hash)
	maskDigest, maskOK := hashIdentifier(mgfSeq)
	if !ok || !maskOK || digest != maskDigest {
		return unknown
	}
	switch {
	case digest == "2.16.840.1.101.3.4.2.1" && saltLength == 32:
		return x509.SHA256WithRSAPSS
	case digest == "2.16.840.1.101.3.4.2.2" && saltLength == 48:
		return x509.SHA384WithRSAPSS
	case digest == "2.16.840.1.101.3.4.2.3" && saltLength == 64:
		return x509.SHA512WithRSAPSS
	}
	return unknown
}

func explicitTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }

// hashIdentifier reads the AlgorithmIdentifier of a hash, with NULL or no parameters.
func hashIdentifier(s cryptobyte.String) (string, bool) {
	var seq, null cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&seq, cbasn1.SEQUENCE) || !s.Empty() || !seq.ReadASN1ObjectIdentifier(&oid) {
		return "", false
	}
	if !seq.Empty() && (!seq.ReadASN1(&null, cbasn1.NULL) || !null.Empty() || !seq.Empty()) {
		return "", false
	}
	return oid.String(), true
}
