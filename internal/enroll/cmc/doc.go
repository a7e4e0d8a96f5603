// Package cmc reads the certificate requests of Windows' enrollment clients and writes the answers: PKCS #10 (RFC 2986),
// PKCS #7 SignedData around a PKCS #10 (a renewal, signed by the old certificate), and CMC full requests and responses
// (RFC 5272, MS-WCCE 2.2.2.6 and 2.2.2.8).
//
// It establishes who signed what. Whether a signer may have what it asks for is for its caller to decide. There is no key
// archival, no nested CMC, no request format but PKCS #10, and no BER.
//
// Start with [Parse], then [Respond].
package cmc

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// Limits of a request.
const (
	MaxBytes        = 128 << 10
	maxCertificates = 8
	maxSigners      = 4
	maxAttributes   = 32
	maxText         = 1024
)

// Options are what an operator can loosen.
type Options struct {
	// AllowSHA1 accepts SHA-1 in the signatures of a request: certreq makes them unless its INF file says otherwise.
	AllowSHA1 bool
}

// Request is a certificate request, its proof of possession checked.
type Request struct {
	CSR *authority.CSR
	// Form is "pkcs10", "pkcs7" or "cmc".
	Form string
	// BodyPartID is the request's number inside a CMC request, which the response has to repeat; 1 in other forms.
	BodyPartID int64
	// Renews is the certificate whose key signed the request beside the new one; nil if there is none. Nothing but that
	// signature has been checked of it.
	Renews *x509.Certificate
	// Hash is the digest in the signature that proves possession of the key.
	Hash crypto.Hash
	// TemplateOID and TemplateName are the certificate template that the request names; "" if it does not.
	TemplateOID, TemplateName string
}

func oid(arcs ...int) asn1.ObjectIdentifier { return arcs }

func oidData() asn1.ObjectIdentifier          { return oid(1, 2, 840, 113549, 1, 7, 1) }
func oidSignedData() asn1.ObjectIdentifier    { return oid(1, 2, 840, 113549, 1, 7, 2) }
func oidPKIData() asn1.ObjectIdentifier       { return oid(1, 3, 6, 1, 5, 5, 7, 12, 2) }
func oidPKIResponse() asn1.ObjectIdentifier   { return oid(1, 3, 6, 1, 5, 5, 7, 12, 3) }
func oidStatusInfo() asn1.ObjectIdentifier    { return oid(1, 3, 6, 1, 5, 5, 7, 7, 1) }
func oidRegInfo() asn1.ObjectIdentifier       { return oid(1, 3, 6, 1, 5, 5, 7, 7, 18) }
func oidContentType() asn1.ObjectIdentifier   { return oid(1, 2, 840, 113549, 1, 9, 3) }
func oidMessageDigest() asn1.ObjectIdentifier { return oid(1, 2, 840, 113549, 1, 9, 4) }
func oidSHA256() asn1.ObjectIdentifier        { return oid(2, 16, 840, 1, 101, 3, 4, 2, 1) }

// OIDs of Microsoft (MS-WCCE 2.2.2.7, MS-CRTD).
func oidRenewalCertificate() asn1.ObjectIdentifier { return oid(1, 3, 6, 1, 4, 1, 311, 13, 1) }
func oidNameValuePair() asn1.ObjectIdentifier      { return oid(1, 3, 6, 1, 4, 1, 311, 13, 2, 1) }
func oidAddAttributes() asn1.ObjectIdentifier      { return oid(1, 3, 6, 1, 4, 1, 311, 10, 10, 1) }
func oidCertificateHash() asn1.ObjectIdentifier    { return oid(1, 3, 6, 1, 4, 1, 311, 21, 17) }
func oidTemplateName() asn1.ObjectIdentifier       { return oid(1, 3, 6, 1, 4, 1, 311, 20, 2) }
func oidTemplateInfo() asn1.ObjectIdentifier       { return oid(1, 3, 6, 1, 4, 1, 311, 21, 7) }

// malformed refuses what cannot be read.
func malformed(what string) error {
	return hresult.Refuse(hresult.InvalidData, "The request cannot be read: %s", what)
}
