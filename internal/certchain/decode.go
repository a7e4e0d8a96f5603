package certchain

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// Limits on what a request may carry.
const (
	MaxCertificateBytes  = 16 << 10 // DER bytes of one certificate
	MaxChainCertificates = 5        // chain certificates, a copy of the leaf aside
)

// DecodeHeaders decodes X-Amz-X509 (base64 DER of the leaf) and X-Amz-X509-Chain (the same,
// separated by commas; "" when the request has none). Chain certificates come in any order; one
// copy of the leaf may be among them and is not counted, because the official client sends it
// with PKCS#12 files. The error is an *[Error] with reason Malformed.
func DecodeHeaders(x509Header, chainHeader string) (leaf []byte, chain [][]byte, err error) {
	leaf, err = decodeCertificate("X-Amz-X509", x509Header)
	if err != nil {
		return nil, nil, err
	}
	if chain, err = decodeChain(leaf, chainHeader); err != nil {
		return nil, nil, err
	}
	return leaf, chain, nil
}

func decodeChain(leaf []byte, chainHeader string) (chain [][]byte, err error) {
	if strings.Trim(chainHeader, " \t") == "" {
		return nil, nil
	}
	parts := strings.Count(chainHeader, ",") + 1
	if parts > MaxChainCertificates+1 {
		return nil, tooMany(parts)
	}
	chain = make([][]byte, 0, parts)
	others := 0
	for part := range strings.SplitSeq(chainHeader, ",") {
		der, err := decodeCertificate("X-Amz-X509-Chain", part)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(der, leaf) {
			others++
		}
		chain = append(chain, der)
	}
	if others > MaxChainCertificates {
		return nil, tooMany(others)
	}
	return chain, nil
}

func tooMany(n int) *Error {
	return refuse(Malformed, msgMalformed,
		"X-Amz-X509-Chain holds %d certificates, at most %d are allowed", n, MaxChainCertificates)
}

func decodeCertificate(header, text string) ([]byte, error) {
	text = strings.Trim(text, " \t")
	if text == "" {
		return nil, refuse(Malformed, msgMalformed, "%s holds an empty certificate", header)
	}
	if len(text) > base64.StdEncoding.EncodedLen(MaxCertificateBytes) {
		return nil, refuse(Malformed, msgMalformed, "a certificate in %s is larger than %d bytes", header, MaxCertificateBytes)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	// The decoder steps over line breaks, which no header value can hold.
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, refuse(Malformed, msgMalformed, "%s is not the base64 of a DER certificate", header)
	}
	if len(der) > MaxCertificateBytes {
		return nil, refuse(Malformed, msgMalformed, "a certificate in %s is larger than %d bytes", header, MaxCertificateBytes)
	}
	return der, nil
}
