package enroll

import (
	"bytes"
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// TestClaims: who asks for what is its own anyway gets its certificate, and nobody asks for another's.
func TestClaims(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	w.template(2, "Computer", machine, allowed(hostsSID))
	for _, tc := range []struct {
		name string
		sid  string
		n    int
		ask  pkix.Extension
		ok   bool
	}{
		{"own UPN", aliceSID, 1, cmctest.UPN(t, "Alice@corp.example.com"), true},
		{"own SID", aliceSID, 1, cmctest.SID(t, aliceSID), true},
		{"own SID as a URI", aliceSID, 1, cmctest.SIDName(t, aliceSID), true},
		{"the machine's implicit name", hostSID, 2, cmctest.UPN(t, "WS2$@corp.example.com"), true},
		{"what certmonger takes for the host's principal", hostSID, 2, cmctest.UPN(t, "host/localhost.localdomain@CORP.EXAMPLE.COM"), true},
		{"another's UPN", aliceSID, 1, cmctest.UPN(t, "bob@corp.example.com"), false},
		{"nobody's UPN", aliceSID, 1, cmctest.UPN(t, ""), false},
		{"another's SID", aliceSID, 1, cmctest.SID(t, bobSID), false},
		{"another's SID as a URI", aliceSID, 1, cmctest.SIDName(t, bobSID), false},
		{"another machine's UPN", hostSID, 2, cmctest.UPN(t, "DC1$@corp.example.com"), false},
		{"a SID that is none", aliceSID, 1, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: []byte{5, 0}}, false},
	} {
		der := w.windows(cmctest.Request{Key: key(t), Extensions: []pkix.Extension{tc.ask}}, tc.n)
		if tc.ok {
			if leaf, _, _ := w.issued(tc.sid, der); bytes.Contains(leaf.Raw, []byte("localhost")) {
				t.Errorf("%s: it is in the certificate", tc.name)
			}
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
		der := cmctest.Request{Key: k, Renews: cert.Raw, Extensions: []pkix.Extension{cmctest.TemplateInfo(t, oidOf(1), 100, 2), cmctest.UPN(t, upn)}, Breaks: true}.DER(t)
		return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: k}, cmctest.Signer{Key: crypto.Signer(old), Certificate: cert})
	}
	w.issued(aliceSID, ask("alice@corp.example.com"))
	w.refused(hresult.BadSubject, w.send(aliceSID, cesPath, rst(issueType, ask("bob@corp.example.com"), "")).Body.String())
}

func FuzzClaims(f *testing.F) {
	f.Add(cmctest.UPN(f, "alice@corp.example.com").Value, cmctest.SID(f, aliceSID).Value)
	f.Add(cmctest.SIDName(f, aliceSID).Value, []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, san, sid []byte) {
		c, err := readClaims([]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}, {Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2}, Value: sid}})
		if err == nil && (c == nil || len(c.sids) == 0 || len(c.upns)+len(c.sids) > len(san)+len(sid)) {
			t.Errorf("%x %x: %+v", san, sid, c)
		}
	})
}
