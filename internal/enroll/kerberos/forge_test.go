package kerberos_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/testad"
)

// Seeds of the fuzz targets here and in initiate.
const (
	tokenSeed  = "testdata/token.bin"
	userSeed   = "testdata/pac-user.bin"
	memberSeed = "testdata/pac-member.bin"
	answerSeed = "initiate/testdata/answer.bin"
)

var record = flag.Bool("record", false, "write the fuzz targets' seeds from the domain's tickets")

// genuine is a service ticket of the domain, opened with the service's keytab.
type genuine struct {
	client  *client.Client
	ticket  messages.Ticket
	part    messages.EncTicketPart
	session types.EncryptionKey
	service types.EncryptionKey
}

func obtain(t testing.TB, user string) *genuine {
	t.Helper()
	d := testad.Start(t)
	conf, err := config.Load(d.Path("krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	kt := keytab.New()
	if err := kt.Unmarshal(d.Keytab(t, "http")); err != nil {
		t.Fatal(err)
	}
	g := &genuine{client: client.NewWithPassword(user, testad.Realm, testad.Password(user), conf, client.DisablePAFXFAST(true))}
	t.Cleanup(g.client.Destroy)
	if err := d.Do(func() (err error) { g.ticket, g.session, err = g.client.GetServiceTicket(testad.SPN); return err }); err != nil {
		t.Fatal(err)
	}
	if err := g.ticket.DecryptEncPart(kt, nil); err != nil {
		t.Fatal(err)
	}
	g.part = g.ticket.DecryptedEncPart
	if g.service, _, err = kt.GetEncryptionKey(g.ticket.SName, g.ticket.Realm, g.ticket.EncPart.KVNO, g.ticket.EncPart.EType); err != nil {
		t.Fatal(err)
	}
	return g
}

// pac returns a copy of the ticket's PAC.
func (g *genuine) pac(t testing.TB) []byte {
	t.Helper()
	for _, ad := range g.part.AuthorizationData {
		var inner types.AuthorizationData
		if ad.ADType != 1 || inner.Unmarshal(ad.ADData) != nil {
			continue
		}
		for _, e := range inner {
			if e.ADType == 128 {
				return slices.Clone(e.ADData)
			}
		}
	}
	t.Fatal("no PAC")
	return nil
}

// header makes a header of the ticket, sealed again with the service's key, with the authorization data and the authenticator
// changed. The token is Kerberos without SPNEGO.
func (g *genuine) header(t testing.TB, data types.AuthorizationData, change func(*types.Authenticator)) string {
	t.Helper()
	part := g.part
	part.AuthorizationData = data
	b, err := asn1.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	ticket := g.ticket
	ticket.EncPart, err = crypto.GetEncryptedData(asn1tools.AddASNAppTag(b, asnAppTag.EncTicketPart), g.service, keyusage.KDC_REP_TICKET, g.ticket.EncPart.KVNO)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := types.NewAuthenticator(part.CRealm, part.CName)
	if err != nil {
		t.Fatal(err)
	}
	auth.Cksum = types.Checksum{CksumType: 0x8003, Checksum: make([]byte, 24)}
	auth.Cksum.Checksum[0] = 16
	if change != nil {
		change(&auth)
	}
	req, err := messages.NewAPReq(ticket, g.session, auth)
	if err != nil {
		t.Fatal(err)
	}
	der, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	oid := []byte("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00") // Kerberos, KRB_AP_REQ
	return "Negotiate " + base64.StdEncoding.EncodeToString(asn1tools.AddASNAppTag(append(oid, der...), 0))
}

func withPAC(t testing.TB, pacs ...[]byte) types.AuthorizationData {
	t.Helper()
	var inner types.AuthorizationData
	for _, p := range pacs {
		inner = append(inner, types.AuthorizationDataEntry{ADType: 128, ADData: p})
	}
	b, err := asn1.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	return types.AuthorizationData{{ADType: 1, ADData: b}}
}

// buffer finds a buffer of a PAC.
func buffer(t testing.TB, pac []byte, kind uint32) []byte {
	t.Helper()
	for i := range int(binary.LittleEndian.Uint32(pac)) {
		h := pac[8+16*i:]
		if binary.LittleEndian.Uint32(h) == kind {
			return pac[binary.LittleEndian.Uint64(h[8:]):][:binary.LittleEndian.Uint32(h[4:])]
		}
	}
	t.Fatalf("no buffer %d", kind)
	return nil
}

// sign makes the server's checksum anew, which only holders of the service's key can.
func (g *genuine) sign(t testing.TB, pac []byte) {
	t.Helper()
	server, kdc := buffer(t, pac, 6), buffer(t, pac, 7)
	saved := slices.Clone(kdc)
	clear(server[4:16])
	clear(kdc[4:16])
	et, err := crypto.GetEtype(g.service.KeyType)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := et.GetChecksumHash(g.service.KeyValue, pac, keyusage.KERB_NON_KERB_CKSUM_SALT)
	if err != nil {
		t.Fatal(err)
	}
	copy(kdc, saved)
	copy(server[4:], sum)
}

func TestForgedTickets(t *testing.T) {
	g, bob := obtain(t, "alice"), obtain(t, "bob")
	changed := func(kind uint32, at int, resign bool) []byte {
		p := g.pac(t)
		b := buffer(t, p, kind)
		b[at] ^= 1
		if resign {
			g.sign(t, p)
		}
		return p
	}
	resigned := g.pac(t)
	g.sign(t, resigned)
	if !bytes.Equal(resigned, g.pac(t)) {
		t.Fatal("a PAC signed again is another: the test does not know how to sign")
	}
	otherType := g.pac(t)
	buffer(t, otherType, 6)[0] ^= 0x1f // 16 to 15
	guest := g.pac(t)
	groups := bytes.Index(buffer(t, guest, 1), binary.LittleEndian.AppendUint32(nil, 513))
	if groups < 0 {
		t.Fatal("Domain Users is not in the PAC")
	}
	const none = kerberos.Reason("")
	for _, tt := range []struct {
		name   string
		data   types.AuthorizationData
		change func(*types.Authenticator)
		reason kerberos.Reason
		text   string
	}{
		{name: "genuine", data: withPAC(t, g.pac(t))},
		{"no PAC", nil, nil, kerberos.ReasonNoPAC, ""},
		{"two PACs", withPAC(t, g.pac(t), g.pac(t)), nil, kerberos.ReasonPAC, "several"},
		{"a changed group", withPAC(t, changed(1, groups, false)), nil, kerberos.ReasonPAC, "checksum is wrong"},
		{"a changed name", withPAC(t, changed(10, 10, false)), nil, kerberos.ReasonPAC, "checksum is wrong"},
		{"a changed checksum", withPAC(t, changed(6, 4, false)), nil, kerberos.ReasonPAC, "checksum is wrong"},
		{"a checksum of another type", withPAC(t, otherType), nil, kerberos.ReasonPAC, "type"},
		{"signed, of another name", withPAC(t, changed(10, 10, true)), nil, kerberos.ReasonPAC, "the ticket of \"alice\""},
		{"signed, of another logon", withPAC(t, changed(10, 4, true)), nil, kerberos.ReasonPAC, "logon at"},
		{"signed, not NDR", withPAC(t, changed(1, 0, true)), nil, kerberos.ReasonPAC, "logon info"},
		{"another user's PAC", withPAC(t, bob.pac(t)), nil, kerberos.ReasonPAC, ""},
		{"cut short", withPAC(t, g.pac(t)[:400]), nil, kerberos.ReasonPAC, "outside"},
		{"another client", withPAC(t, g.pac(t)), func(a *types.Authenticator) { a.CName.NameString = []string{"bob"} }, kerberos.ReasonIntegrity, "another client"},
		{"another realm", withPAC(t, g.pac(t)), func(a *types.Authenticator) { a.CRealm = "OTHER" }, kerberos.ReasonIntegrity, "another client"},
		{"no GSS checksum", withPAC(t, g.pac(t)), func(a *types.Authenticator) { a.Cksum = types.Checksum{CksumType: 7, Checksum: make([]byte, 24)} }, kerberos.ReasonToken, "GSS-API"},
		{"three legs", withPAC(t, g.pac(t)), func(a *types.Authenticator) { a.Cksum.Checksum[21] = 0x10 }, kerberos.ReasonMechanism, "three legs"},
		{"an old authenticator", withPAC(t, g.pac(t)), func(a *types.Authenticator) { a.CTime = a.CTime.Add(-time.Hour) }, kerberos.ReasonSkew, "-1h0m"},
		// MS-KILE 3.2.5.8: the client binds, but bound nothing here.
		{"a binding removed", withPAC(t, g.pac(t)), func(a *types.Authenticator) {
			inner, err := asn1.Marshal(types.AuthorizationData{{ADType: 143, ADData: []byte{0, 0x40, 0, 0}}})
			if err != nil {
				t.Fatal(err)
			}
			a.AuthorizationData = types.AuthorizationData{{ADType: 1, ADData: inner}}
		}, kerberos.ReasonChannelBinding, "without TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, reply, err := acceptor(t, kerberos.Config{}).Accept(g.header(t, tt.data, tt.change), nil)
			if tt.reason == none {
				if err != nil || id.AccountName != "alice" || reply != "" { // nobody asked for an AP-REP
					t.Errorf("got %+v, %q, %v", id, reply, err)
				}
				return
			}
			if id != nil || reply != "" {
				t.Errorf("got %+v, %q", id, reply)
			}
			wantReason(t, err, tt.reason, tt.text)
		})
	}
}

// With -record, the seeds of the fuzz targets come from this domain.
func TestRecordSeeds(t *testing.T) {
	if !*record {
		for _, name := range []string{tokenSeed, userSeed, memberSeed, answerSeed} {
			if _, err := os.Stat(name); err != nil {
				t.Error(err)
			}
		}
		return
	}
	g := obtain(t, "alice")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(g.header(t, g.part.AuthorizationData, nil), "Negotiate "))
	if err != nil {
		t.Fatal(err)
	}
	header, _ := negotiate(t, initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice")}), testad.CAHost, nil)
	_, reply, err := acceptor(t, kerberos.Config{}).Accept(header, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(reply, "Negotiate "))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{tokenSeed: raw, memberSeed: g.pac(t), userSeed: obtain(t, "bob").pac(t), answerSeed: answer} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
