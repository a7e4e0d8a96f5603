package initiate

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSPNEGO = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}        // RFC 4178 §3
	oidKRB5   = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2} // RFC 4121 §4.1
	oidMSKRB5 = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2}  // MS-SPNG 1.9
	tagGSS    = cbasn1.Tag(0).Constructed() | 0x40
)

const (
	gssMutual    = 2
	gssInteg     = 32
	checksumGSS  = 0x8003 // RFC 4121 §4.1.1
	maxChallenge = 64 << 10
)

func tag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// Exchange is one request's authentication: it knows what the service must answer.
type Exchange struct {
	key   types.EncryptionKey
	ctime time.Time
	cusec int
}

// newExchange makes an AP-REQ in SPNEGO.
func newExchange(realm string, cname types.PrincipalName, ticket messages.Ticket, key types.EncryptionKey, binding [16]byte, now time.Time) ([]byte, *Exchange, error) {
	auth, err := types.NewAuthenticator(realm, cname)
	if err != nil {
		return nil, nil, err
	}
	now = now.UTC()
	auth.CTime, auth.Cusec = now.Truncate(time.Second), now.Nanosecond()/1000
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16)
	copy(sum[4:], binding[:])
	binary.LittleEndian.PutUint32(sum[20:], gssMutual|gssInteg)
	auth.Cksum = types.Checksum{CksumType: checksumGSS, Checksum: sum}
	req, err := messages.NewAPReq(ticket, key, auth)
	if err != nil {
		return nil, nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	der, err := req.Marshal()
	if err != nil {
		return nil, nil, err
	}
	token, err := wrap(der)
	return token, &Exchange{key: key, ctime: auth.CTime, cusec: auth.Cusec}, err
}

// wrap puts an AP-REQ into a NegTokenInit with Kerberos as the only mechanism (RFC 4178 §4.2.1, RFC 4121 §4.1).
func wrap(apReq []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSPNEGO)
		b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidKRB5) })
				})
				b.AddASN1(tag(2), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
						b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(oidKRB5)
							b.AddUint16(0x0100) // TOK_ID of KRB_AP_REQ
							b.AddBytes(apReq)
						})
					})
				})
			})
		})
	})
	return b.Bytes()
}

var errAnswer = errors.New("the server's Negotiate answer is not well-formed")

// Verify checks the WWW-Authenticate header of the answer: only the service the ticket is for can have made it. An answer
// without the header is a failure: the server did not prove itself.
func (x *Exchange) Verify(header string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errAnswer
		}
	}()
	scheme, b64, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Negotiate") || b64 == "" {
		return errors.New("the server did not prove its identity: no Negotiate token in its answer")
	}
	if len(b64) > maxChallenge {
		return errAnswer
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(b64))
	if err != nil {
		return errAnswer
	}
	token, err := parseResponse(raw)
	if err != nil {
		return err
	}
	var rep messages.APRep
	if err := rep.Unmarshal(token); err != nil {
		return errAnswer
	}
	if rep.EncPart.EType != x.key.KeyType {
		return errAnswer
	}
	plain, err := crypto.DecryptEncPart(rep.EncPart, x.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return errors.New("the server's proof of identity does not open with the session key")
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return errAnswer
	}
	if !part.CTime.Equal(x.ctime) || part.Cusec != x.cusec { // RFC 4120 §3.2.5
		return errors.New("the server's proof of identity is of another request")
	}
	return nil
}

// parseResponse reads a NegTokenResp that ends the exchange (RFC 4178 §4.2.2) and unwraps the AP-REP in it.
func parseResponse(raw []byte) ([]byte, error) {
	in := cryptobyte.String(raw)
	var choice, seq, part, token, inner cryptobyte.String
	var hasState, hasMech bool
	var state int
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&choice, tag(1)) || !in.Empty() || !choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !choice.Empty() ||
		!seq.ReadOptionalASN1(&part, &hasState, tag(0)) || hasState && !part.ReadASN1Enum(&state) {
		return nil, errAnswer
	}
	if state != 0 {
		return nil, fmt.Errorf("the server did not complete the negotiation (state %d)", state)
	}
	if !seq.ReadOptionalASN1(&part, &hasMech, tag(1)) || hasMech && (!part.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidKRB5) && !oid.Equal(oidMSKRB5)) {
		return nil, errAnswer
	}
	var id uint16
	if !seq.ReadASN1(&part, tag(2)) || !part.ReadASN1(&token, cbasn1.OCTET_STRING) || !token.ReadASN1(&inner, tagGSS) ||
		!inner.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidKRB5) || !inner.ReadUint16(&id) || id != 0x0200 {
		return nil, errAnswer
	}
	return inner, nil
}
