package adtest

import (
	stdasn1 "encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Mechanisms of SPNEGO.
var (
	MSKRB5 = stdasn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2}
	KRB5   = stdasn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	NegoEx = stdasn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 30}
	NTLM   = stdasn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}

	spnego = stdasn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}
)

// TicketOptions change a ticket. The zero value is a sound one of eight hours.
type TicketOptions struct {
	Service string        // default HTTP/<Host>
	Age     time.Duration // how long ago it was made; default a minute
	Life    time.Duration // default 8 h
	NoPAC   bool
	// PAC changes the buffers before they are signed, Spoil the signed bytes.
	PAC   func(PAC)
	Spoil func(pac []byte) error
	// Key replaces the key that the ticket is sealed with.
	Key *types.EncryptionKey
	// Part changes the sealed part, such as its flags.
	Part func(*messages.EncTicketPart)
}

// Ticket is a service ticket with its session key.
type Ticket struct {
	ticket  messages.Ticket
	session types.EncryptionKey
	cname   types.PrincipalName
}

// Ticket makes a ticket for an account as a KDC would.
func (d *Domain) Ticket(a *Account, o TicketOptions) (*Ticket, error) {
	if o.Service == "" {
		o.Service = "HTTP/" + Host
	}
	if o.Age == 0 {
		o.Age = time.Minute
	}
	if o.Life == 0 {
		o.Life = 8 * time.Hour
	}
	key := d.service
	if o.Key != nil {
		key = *o.Key
	}
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	session, err := types.GenerateEncryptionKey(et)
	if err != nil {
		return nil, err
	}
	start := time.Now().Add(-o.Age).UTC().Truncate(time.Second)
	part := messages.EncTicketPart{
		Flags: types.NewKrbFlags(), Key: session, CRealm: Realm, CName: types.NewPrincipalName(nametype.KRB_NT_PRINCIPAL, a.Name),
		AuthTime: start, StartTime: start, EndTime: start.Add(o.Life), RenewTill: start.Add(o.Life),
	}
	if !o.NoPAC {
		if part.AuthorizationData, err = d.authorization(a, start, &o); err != nil {
			return nil, err
		}
	}
	if o.Part != nil {
		o.Part(&part)
	}
	b, err := asn1.Marshal(part)
	if err != nil {
		return nil, err
	}
	t := &Ticket{session: session, cname: part.CName, ticket: messages.Ticket{TktVNO: 5, Realm: Realm, SName: types.NewPrincipalName(nametype.KRB_NT_SRV_INST, o.Service)}}
	t.ticket.EncPart, err = crypto.GetEncryptedData(asn1tools.AddASNAppTag(b, asnAppTag.EncTicketPart), key, keyusage.KDC_REP_TICKET, d.kvno)
	return t, err
}

// authorization is the PAC as a ticket carries it: AD-WIN2K-PAC in AD-IF-RELEVANT (MS-KILE 3.3.5.6.4).
func (d *Domain) authorization(a *Account, logon time.Time, o *TicketOptions) (types.AuthorizationData, error) {
	p, err := pac(a, logon)
	if err != nil {
		return nil, err
	}
	if o.PAC != nil {
		o.PAC(p)
	}
	raw, err := p.bytes(d.service, d.kdc)
	if err != nil {
		return nil, err
	}
	if o.Spoil != nil {
		if err := o.Spoil(raw); err != nil {
			return nil, err
		}
	}
	inner, err := asn1.Marshal(types.AuthorizationData{{ADType: 128, ADData: raw}})
	return types.AuthorizationData{{ADType: 1, ADData: inner}}, err
}

// TokenOptions change a token. The zero value is Windows': mutual authentication, its list of mechanisms, no channel binding.
type TokenOptions struct {
	Binding       [16]byte // RFC 4121 §4.1.1.2; see kerberos.EndpointBinding
	Mechanisms    []stdasn1.ObjectIdentifier
	Authenticator func(*types.Authenticator)
	Request       func(*messages.APReq)
}

// GSS flags of an authenticator's checksum, RFC 4121 §4.1.1.1.
const gssMutual, gssInteg = 2, 32

// Header makes the value of an Authorization header, for one request.
func (t *Ticket) Header(o TokenOptions) (string, error) {
	auth, err := types.NewAuthenticator(Realm, t.cname)
	if err != nil {
		return "", err
	}
	sum := make([]byte, 24)
	binary.LittleEndian.PutUint32(sum, 16)
	copy(sum[4:], o.Binding[:])
	binary.LittleEndian.PutUint32(sum[20:], gssMutual|gssInteg)
	auth.Cksum = types.Checksum{CksumType: 0x8003, Checksum: sum}
	if o.Authenticator != nil {
		o.Authenticator(&auth)
	}
	req, err := messages.NewAPReq(t.ticket, t.session, auth)
	if err != nil {
		return "", err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	if o.Request != nil {
		o.Request(&req)
	}
	der, err := req.Marshal()
	if err != nil {
		return "", err
	}
	if o.Mechanisms == nil {
		o.Mechanisms = []stdasn1.ObjectIdentifier{MSKRB5, KRB5, NegoEx, NTLM}
	}
	token, err := wrap(der, o.Mechanisms)
	return "Negotiate " + base64.StdEncoding.EncodeToString(token), err
}

// wrap puts an AP-REQ into a NegTokenInit (RFC 4178 §4.2.1, RFC 4121 §4.1).
func wrap(apReq []byte, mechanisms []stdasn1.ObjectIdentifier) ([]byte, error) {
	application := cbasn1.Tag(0).Constructed() | 0x40
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	var b cryptobyte.Builder
	b.AddASN1(application, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(spnego)
		b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag(0), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						for _, m := range mechanisms {
							b.AddASN1ObjectIdentifier(m)
						}
					})
				})
				b.AddASN1(tag(2), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) {
						b.AddASN1(application, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(KRB5)
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
