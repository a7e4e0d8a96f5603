package kerberos

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// maxToken is a little more than Windows' MaxTokenSize of 48,000 bytes, up to which a PAC may grow.
	maxToken = 64 << 10
	// maxMechanisms bounds the list in a NegTokenInit; Windows names four.
	maxMechanisms = 32
)

var (
	oidSPNEGO = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}             // RFC 4178 §3
	oidKRB5   = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}      // RFC 4121 §4.1
	oidMSKRB5 = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2}       // the same with an old typing error, MS-SPNG 1.9
	oidNTLM   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10} // MS-SPNG 1.9
)

// acceptCompleted is a state of a NegTokenResp, RFC 4178 §4.2.2.
const acceptCompleted = 0

// Tags that the token formats share.
var (
	tagGSS = cbasn1.Tag(0).Constructed() | 0x40 // [APPLICATION 0], RFC 2743 §3.1
	tag0   = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1   = cbasn1.Tag(1).ContextSpecific().Constructed()
	tag2   = cbasn1.Tag(2).ContextSpecific().Constructed()
	tag3   = cbasn1.Tag(3).ContextSpecific().Constructed()
)

// negotiate is one token of a client.
type negotiate struct {
	// mechanism is the OID that the answer names; nil if the client sent a Kerberos token without SPNEGO.
	mechanism asn1.ObjectIdentifier
	// apReq is the KRB_AP_REQ, DER.
	apReq []byte
}

func isKerberos(oid asn1.ObjectIdentifier) bool { return oid.Equal(oidKRB5) || oid.Equal(oidMSKRB5) }

// parseHeader takes the token out of "Negotiate BASE64" (RFC 4559 §4.2).
func parseHeader(header string) ([]byte, error) {
	scheme, b64, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Negotiate") {
		return nil, refuse(ReasonHeader, "no Negotiate header")
	}
	if len(b64) > base64.StdEncoding.EncodedLen(maxToken) {
		return nil, refuse(ReasonHeader, "the token is longer than %d bytes", maxToken)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(b64))
	if err != nil {
		return nil, because(ReasonHeader, err, "the token is not base64")
	}
	return raw, nil
}

// parseToken reads a GSS-API token: SPNEGO with Kerberos in it, or Kerberos alone.
func parseToken(raw []byte) (*negotiate, error) {
	if bytes.HasPrefix(raw, []byte("NTLMSSP\x00")) {
		return nil, refuse(ReasonMechanism, "NTLM is not accepted: the client got no ticket (is the service principal registered, and does it use the host's name?)")
	}
	in, outer := cryptobyte.String(raw), cryptobyte.String(nil)
	if len(raw) > 0 && cbasn1.Tag(raw[0]) == tag1 {
		return nil, refuse(ReasonToken, "a second leg, but every exchange ends with the first")
	}
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&outer, tagGSS) || !in.Empty() || !outer.ReadASN1ObjectIdentifier(&oid) {
		return nil, refuse(ReasonToken, "not a GSS-API token")
	}
	if !oid.Equal(oidSPNEGO) {
		apReq, err := parseKerberos(raw)
		return &negotiate{apReq: apReq}, err
	}
	mechs, mechToken, err := parseInit(outer)
	if err != nil {
		return nil, err
	}
	return choose(mechs, mechToken)
}

// parseInit reads a NegTokenInit, RFC 4178 §4.2.1. The requested flags and the MIC are left alone: the flags are not
// protected, and a MIC is not needed when the client's first mechanism is taken (§5).
func parseInit(in cryptobyte.String) (mechs []asn1.ObjectIdentifier, mechToken []byte, err error) {
	var choice, seq, list, wrapped, token cryptobyte.String
	var hasToken bool
	if !in.ReadASN1(&choice, tag0) || !in.Empty() || !choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty() ||
		!seq.ReadASN1(&wrapped, tag0) || !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() ||
		!seq.SkipOptionalASN1(tag1) || !seq.ReadOptionalASN1(&wrapped, &hasToken, tag2) {
		return nil, nil, refuse(ReasonToken, "not a well-formed NegTokenInit")
	}
	if hasToken && (!wrapped.ReadASN1(&token, cbasn1.OCTET_STRING) || !wrapped.Empty()) {
		return nil, nil, refuse(ReasonToken, "not a well-formed mechToken")
	}
	if !seq.SkipOptionalASN1(tag3) || !seq.Empty() {
		return nil, nil, refuse(ReasonToken, "not a well-formed NegTokenInit")
	}
	for !list.Empty() {
		var oid asn1.ObjectIdentifier
		if len(mechs) == maxMechanisms || !list.ReadASN1ObjectIdentifier(&oid) {
			return nil, nil, refuse(ReasonToken, "not a well-formed list of mechanisms, or more than %d", maxMechanisms)
		}
		mechs = append(mechs, oid)
	}
	return mechs, token, nil
}

// choose finds Kerberos among the client's mechanisms. It is answered with the name that the client's first mechanism has, in
// one leg: Windows' web services open a connection per leg and could not follow a longer exchange. If Kerberos is in the list
// but not first, the client's token is not for it, and three more legs with checksums of the list would be needed (RFC 4178
// §5), with state between requests: that is refused. Clients that have a ticket put Kerberos first.
func choose(mechs []asn1.ObjectIdentifier, mechToken []byte) (*negotiate, error) {
	for i, oid := range mechs {
		if !isKerberos(oid) {
			continue
		}
		// The token belongs to the first mechanism (§4.2.1). Both of Kerberos's names stand for one mechanism.
		if i > 0 && !isKerberos(mechs[0]) {
			return nil, refuse(ReasonMechanism, "the client prefers mechanism %s to Kerberos: it got no ticket (is the service principal registered, and does it use the host's name?)", mechs[0])
		}
		apReq, err := parseKerberos(mechToken)
		return &negotiate{mechanism: mechs[0], apReq: apReq}, err
	}
	if len(mechs) == 1 && mechs[0].Equal(oidNTLM) {
		return nil, refuse(ReasonMechanism, "the client offers only NTLM: it got no ticket (is the service principal registered, and does it use the host's name?)")
	}
	return nil, refuse(ReasonMechanism, "no Kerberos among the mechanisms %v", mechs)
}

// parseKerberos unwraps a KRB_AP_REQ, RFC 4121 §4.1.
func parseKerberos(raw []byte) ([]byte, error) {
	in, inner := cryptobyte.String(raw), cryptobyte.String(nil)
	var oid asn1.ObjectIdentifier
	var id uint16
	if !in.ReadASN1(&inner, tagGSS) || !in.Empty() || !inner.ReadASN1ObjectIdentifier(&oid) || !inner.ReadUint16(&id) {
		return nil, refuse(ReasonToken, "not a Kerberos token")
	}
	if !isKerberos(oid) {
		return nil, refuse(ReasonMechanism, "a token of mechanism %s", oid)
	}
	if id != 0x0100 { // TOK_ID of KRB_AP_REQ
		return nil, refuse(ReasonToken, "a Kerberos token of type %04x, not a KRB_AP_REQ", id)
	}
	return inner, nil
}

// wrapAPRep makes the answer's GSS-API token, RFC 4121 §4.1.
func wrapAPRep(apRep []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidKRB5)
		b.AddUint16(0x0200) // TOK_ID of KRB_AP_REP
		b.AddBytes(apRep)
	})
	return b.BytesOrPanic()
}

// response makes a NegTokenResp, RFC 4178 §4.2.2. token may be empty.
func response(state int64, mechanism asn1.ObjectIdentifier, token []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag1, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1Enum(state) })
			b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(mechanism) })
			if len(token) > 0 {
				b.AddASN1(tag2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(token) })
			}
		})
	})
	return b.BytesOrPanic()
}
