package enroll

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// upnRequest asks for a user principal name, and uriRequest for a SID by the name that stands for it.
func upnRequest(t testing.TB, upn string) pkix.Extension {
	t.Helper()
	tag := cbasn1.Tag(0).ContextSpecific().Constructed()
	return alternatives(t, func(b *cryptobyte.Builder) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3})
			b.AddASN1(tag, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(upn)) })
			})
		})
	})
}

func uriRequest(t testing.TB, sid string) pkix.Extension {
	t.Helper()
	return alternatives(t, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(sidURI + sid)) })
	})
}

func alternatives(t testing.TB, list func(*cryptobyte.Builder)) pkix.Extension {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, list)
	value, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

func sidRequest(t testing.TB, sid string) pkix.Extension {
	t.Helper()
	value, err := securityExtension(sid)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: value}
}

// TestClaims: who asks for what is its own anyway gets its certificate, and nobody asks for another's.
func TestClaims(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	w.template(2, "Computer", machine, allowed(hostsSID))
	w.people.entries[hostSID].ServicePrincipals = []string{"host/ws2.corp.example.com"}
	for _, tc := range []struct {
		name string
		sid  string
		n    int
		ask  pkix.Extension
		ok   bool
	}{
		{"own UPN", aliceSID, 1, upnRequest(t, "Alice@corp.example.com"), true},
		{"own SID", aliceSID, 1, sidRequest(t, aliceSID), true},
		{"own SID as a URI", aliceSID, 1, uriRequest(t, aliceSID), true},
		{"the machine's implicit name", hostSID, 2, upnRequest(t, "WS2$@corp.example.com"), true},
		{"the machine's service, as certmonger's -K", hostSID, 2, upnRequest(t, "host/ws2.corp.example.com@CORP.EXAMPLE.COM"), true},
		{"another's UPN", aliceSID, 1, upnRequest(t, "bob@corp.example.com"), false},
		{"nobody's UPN", aliceSID, 1, upnRequest(t, ""), false},
		{"another's SID", aliceSID, 1, sidRequest(t, bobSID), false},
		{"another's SID as a URI", aliceSID, 1, uriRequest(t, bobSID), false},
		{"another machine's service", hostSID, 2, upnRequest(t, "host/dc1.corp.example.com@CORP.EXAMPLE.COM"), false},
		{"a SID that is none", aliceSID, 1, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: []byte{5, 0}}, false},
	} {
		der := w.windows(cmctest.Request{Key: key(t), Extensions: []pkix.Extension{tc.ask}}, tc.n)
		if tc.ok {
			w.issued(tc.sid, der)
			continue
		}
		t.Run(tc.name, func(*testing.T) {
			w.refused(hresult.BadSubject, w.send(tc.sid, cesPath, rst(issueType, der, "")).Body.String())
			if e := w.event(); e["errorCode"] != hresult.BadSubject.String() {
				t.Errorf("event %v", e)
			}
		})
	}
	w.issuedCount(5)
}

// TestRenewalWithOldNames: an account that was renamed renews with a request made of its old certificate.
func TestRenewalWithOldNames(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	old := key(t)
	cert, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: old}, 1))
	renamed := *w.people.entries[aliceSID]
	renamed.UserPrincipalName, renamed.AccountName = "alice.liddell@corp.example.com", "liddell"
	w.people.entries[aliceSID] = &renamed
	ask := func(upn string) []byte {
		k := key(t)
		der := cmctest.Request{Key: k, Renews: cert.Raw, Extensions: []pkix.Extension{cmctest.TemplateInfo(t, oidOf(1), 100, 2), upnRequest(t, upn)}, Breaks: true}.DER(t)
		return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: k}, cmctest.Signer{Key: crypto.Signer(old), Certificate: cert})
	}
	w.issued(aliceSID, ask("alice@corp.example.com"))
	w.refused(hresult.BadSubject, w.send(aliceSID, cesPath, rst(issueType, ask("bob@corp.example.com"), "")).Body.String())
}

func FuzzClaims(f *testing.F) {
	f.Add(upnRequest(f, "alice@corp.example.com").Value, sidRequest(f, aliceSID).Value)
	f.Add(uriRequest(f, aliceSID).Value, []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, san, sid []byte) {
		c, err := readClaims([]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}, {Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: sid}})
		if err == nil && (c == nil || len(c.sids) == 0 || len(c.upns)+len(c.sids) > len(san)+len(sid)) {
			t.Errorf("%x %x: %+v", san, sid, c)
		}
	})
}
