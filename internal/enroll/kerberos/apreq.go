package kerberos

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
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

// checksumGSS is the type of an authenticator's checksum that carries bindings and flags, RFC 4121 §4.1.1.
const checksumGSS = 0x8003

// Flags in that checksum.
const (
	gssMutual   = 2
	gssDCEStyle = 0x1000 // MS-KILE 3.4.5.1: a third leg
)

// verified is a ticket with its authenticator, both genuine, fresh and for us. The PAC is not yet looked at.
type verified struct {
	ticket      messages.EncTicketPart
	auth        types.Authenticator
	serviceKey  types.EncryptionKey
	fingerprint [32]byte
	clientTime  time.Time
	binding     [16]byte
	mutual      bool
}

// verify checks a KRB_AP_REQ as RFC 4120 §3.2.3 asks for, apart from replays.
func (a *Acceptor) verify(der []byte, now time.Time) (*verified, error) {
	var req messages.APReq
	if err := req.Unmarshal(der); err != nil {
		return nil, because(ReasonToken, err, "not a well-formed KRB_AP_REQ")
	}
	if req.PVNO != 5 || req.Ticket.TktVNO != 5 {
		return nil, refuse(ReasonToken, "not Kerberos 5")
	}
	if types.IsFlagSet(&req.APOptions, flags.APOptionUseSessionKey) {
		return nil, refuse(ReasonMechanism, "user-to-user tickets are not accepted")
	}
	if len(req.Ticket.SName.NameString) == 0 {
		return nil, refuse(ReasonToken, "a ticket for nobody")
	}
	enc := req.Ticket.EncPart
	if !a.allowed(enc.EType) {
		return nil, refuse(ReasonEncryption, "the ticket's encryption type %d is not allowed: set msDS-SupportedEncryptionTypes of the service account to 24 (AES)", enc.EType)
	}
	key, err := a.key(strings.Join(req.Ticket.SName.NameString, "/"), req.Ticket.Realm, enc.KVNO, enc.EType)
	if err != nil {
		return nil, err
	}
	v := &verified{serviceKey: key, fingerprint: sha256.Sum256(req.EncryptedAuthenticator.Cipher)}
	if err := v.openTicket(enc, now, a.skew); err != nil {
		return nil, err
	}
	if !a.allowed(v.ticket.Key.KeyType) {
		return nil, refuse(ReasonEncryption, "the session key's encryption type %d is not allowed", v.ticket.Key.KeyType)
	}
	if err := v.openAuthenticator(req.EncryptedAuthenticator, now, a.skew); err != nil {
		return nil, err
	}
	if err := v.readChecksum(); err != nil {
		return nil, err
	}
	v.mutual = v.mutual || types.IsFlagSet(&req.APOptions, flags.APOptionMutualRequired)
	return v, nil
}

func (v *verified) openTicket(enc types.EncryptedData, now time.Time, skew time.Duration) error {
	plain, err := crypto.DecryptEncPart(enc, v.serviceKey, keyusage.KDC_REP_TICKET)
	if err != nil {
		return because(ReasonIntegrity, err, "the ticket does not open with the keytab's key: is the keytab of this account and password?")
	}
	t := &v.ticket
	if err := t.Unmarshal(plain); err != nil {
		return because(ReasonToken, err, "the ticket is not well-formed")
	}
	start := t.StartTime
	if start.IsZero() {
		start = t.AuthTime // RFC 4120 §5.3: what counts if there is no start time
	}
	switch {
	case types.IsFlagSet(&t.Flags, flags.Invalid):
		return refuse(ReasonNotYetValid, "the ticket is marked invalid")
	case start.Sub(now) > skew:
		return refuse(ReasonNotYetValid, "the ticket starts at %s, which is %s from now", start.UTC().Format(time.RFC3339), start.Sub(now).Round(time.Second))
	case now.Sub(t.EndTime) > skew:
		return refuse(ReasonExpired, "the ticket ended at %s, %s ago", t.EndTime.UTC().Format(time.RFC3339), now.Sub(t.EndTime).Round(time.Second))
	case len(t.CAddr) > 0: // whose address it is cannot be told behind proxies
		return refuse(ReasonToken, "tickets bound to addresses are not accepted")
	}
	return nil
}

func (v *verified) openAuthenticator(enc types.EncryptedData, now time.Time, skew time.Duration) error {
	if enc.EType != v.ticket.Key.KeyType {
		return refuse(ReasonEncryption, "the authenticator's encryption type %d is not the session key's", enc.EType)
	}
	plain, err := crypto.DecryptEncPart(enc, v.ticket.Key, keyusage.AP_REQ_AUTHENTICATOR)
	if err != nil {
		return because(ReasonIntegrity, err, "the authenticator does not open with the session key")
	}
	au := &v.auth
	if err := au.Unmarshal(plain); err != nil {
		return because(ReasonToken, err, "the authenticator is not well-formed")
	}
	if au.AVNO != 5 || au.CRealm != v.ticket.CRealm || !au.CName.Equal(v.ticket.CName) {
		return refuse(ReasonIntegrity, "the authenticator is of another client than the ticket")
	}
	if au.Cusec < 0 || au.Cusec > 999999 {
		return refuse(ReasonToken, "the authenticator's time is not well-formed")
	}
	v.clientTime = au.CTime.Add(time.Duration(au.Cusec) * time.Microsecond)
	if off := v.clientTime.Sub(now); off > skew || off < -skew {
		return refuse(ReasonSkew, "the client's clock differs from ours by %s, at most %s is allowed", off.Round(time.Second), skew)
	}
	return nil
}

// readChecksum takes bindings and flags from the authenticator, RFC 4121 §4.1.1.
func (v *verified) readChecksum() error {
	c := v.auth.Cksum
	if c.CksumType != checksumGSS || len(c.Checksum) < 24 || binary.LittleEndian.Uint32(c.Checksum) != 16 {
		return refuse(ReasonToken, "the authenticator has no GSS-API checksum")
	}
	v.binding = [16]byte(c.Checksum[4:20])
	fl := binary.LittleEndian.Uint32(c.Checksum[20:])
	if fl&gssDCEStyle != 0 {
		return refuse(ReasonMechanism, "exchanges of three legs are not accepted")
	}
	v.mutual = fl&gssMutual != 0
	return nil
}

// apRep proves to the client that we could open its ticket, RFC 4120 §3.2.4 and §5.5.2.
func (v *verified) apRep() ([]byte, error) {
	var seq [4]byte
	rand.Read(seq[:])
	var b cryptobyte.Builder
	b.AddASN1(appTag(27), func(b *cryptobyte.Builder) { // EncAPRepPart
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(v.auth.CTime.UTC()) })
			b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(v.auth.Cusec)) })
			// 30 bits: some clients read the number as signed (RFC 4121 §4.1 does not say).
			b.AddASN1(tag3, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(binary.BigEndian.Uint32(seq[:]) >> 2)) })
		})
	})
	plain, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(plain, v.ticket.Key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, err
	}
	var rep cryptobyte.Builder
	rep.AddASN1(appTag(15), func(b *cryptobyte.Builder) { // AP-REP
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1Int64(5) })
			b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddASN1Int64(15) })
			b.AddASN1(tag2, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(sealed.EType)) })
					b.AddASN1(tag2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sealed.Cipher) })
				})
			})
		})
	})
	return rep.Bytes()
}

func appTag(n cbasn1.Tag) cbasn1.Tag { return n.Constructed() | 0x40 }
