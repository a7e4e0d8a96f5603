package enroll

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/store"
)

// renewal is a request signed by the new key and by the old certificate's.
func (w *world) renewal(key, old crypto.Signer, cert *x509.Certificate) []byte {
	w.t.Helper()
	der := cmctest.Request{Key: key, Renews: cert.Raw, Extensions: []pkix.Extension{cmctest.TemplateInfo(w.t, oidOf(1), 100, 2)}, Breaks: true}.DER(w.t)
	return cmctest.Sign(w.t, cmctest.TypePKIData, cmctest.PKIData(w.t, der, 1, ""), cmctest.Signer{Key: key}, cmctest.Signer{Key: old, Certificate: cert})
}

func TestRenewal(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	old, next := key(t), key(t)
	cert, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: old}, 1))
	renewed, _, _ := w.issued(aliceSID, w.renewal(next, old, cert))
	if !next.PublicKey.Equal(renewed.PublicKey) || renewed.SerialNumber.Cmp(cert.SerialNumber) == 0 {
		t.Error("the renewal is not a certificate of the new key")
	}
	if params, _ := w.event()["requestParameters"].(fields); params["renewal"] != true {
		t.Errorf("event %v", w.event())
	}
	// The other form: PKCS #7 around a PKCS #10.
	third := key(t)
	inside := cmctest.Request{Key: third, Renews: renewed.Raw, Extensions: []pkix.Extension{cmctest.TemplateInfo(t, oidOf(1), 100, 2)}}.DER(t)
	w.issued(aliceSID, cmctest.Sign(t, cmctest.TypeData, inside, cmctest.Signer{Key: next, Certificate: renewed}))
}

func TestRenewalRefused(t *testing.T) {
	imitation := func(w *world, real *x509.Certificate, k crypto.Signer) *x509.Certificate {
		tmpl := *real // the same serial, names and SID, signed by somebody else
		parent := &x509.Certificate{RawSubject: real.RawIssuer}
		der, err := x509.CreateCertificate(rand.Reader, &tmpl, parent, k.Public(), k)
		if err != nil {
			w.t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			w.t.Fatal(err)
		}
		return cert
	}
	for name, tc := range map[string]struct {
		change func(fields)
		do     func(w *world, old crypto.Signer, cert *x509.Certificate) string
		want   hresult.Code
	}{
		"by another account": {nil, func(w *world, old crypto.Signer, cert *x509.Certificate) string {
			return w.send(bobSID, cesPath, rst(issueType, w.renewal(key(w.t), old, cert), "")).Body.String()
		}, hresult.Signature},
		"an imitation": {nil, func(w *world, _ crypto.Signer, cert *x509.Certificate) string {
			k := key(w.t)
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), k, imitation(w, cert, k)), "")).Body.String()
		}, hresult.Signature},
		"revoked": {nil, func(w *world, old crypto.Signer, cert *x509.Certificate) string {
			w.update(func(tx *store.Tx) error {
				return tx.CreateRevokedCertificate(&store.RevokedCertificate{Account: account, Region: region, IssuerKey: "key", Serial: hex.EncodeToString(cert.SerialNumber.Bytes()), RevokedAt: tx.Now})
			})
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), old, cert), "")).Body.String()
		}, hresult.Revoked},
		"expired": {nil, func(w *world, old crypto.Signer, cert *x509.Certificate) string {
			w.clock.set(366 * 24 * time.Hour)
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), old, cert), "")).Body.String()
		}, hresult.Expired},
		"another key, although the template keeps it": {func(d fields) {
			d["PrivateKeyFlags"] = fields{"ClientVersion": "WINDOWS_SERVER_2016", "RequireSameKeyRenewal": true}
		}, func(w *world, old crypto.Signer, cert *x509.Certificate) string {
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), old, cert), "")).Body.String()
		}, hresult.RenewalPublicKey},
		"issued over the API": {nil, func(w *world, _ crypto.Signer, _ *x509.Certificate) string {
			// The root's own certificate stands for any that the CA signed, and no connector issued.
			k := key(w.t)
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), k, imitation(w, w.root, k)), "")).Body.String()
		}, hresult.Signature},
		"group lost since": {nil, func(w *world, old crypto.Signer, cert *x509.Certificate) string {
			w.people.entries[aliceSID].Groups = nil
			return w.send(aliceSID, cesPath, rst(issueType, w.renewal(key(w.t), old, cert), "")).Body.String()
		}, hresult.TemplateDenied},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.template(1, "User", tc.change, allowed(usersSID))
			old := key(t)
			cert, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: old}, 1))
			w.refused(tc.want, tc.do(w, old, cert))
			w.issuedCount(1)
		})
	}
}

func TestSameKeyRenewal(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", func(d fields) {
		d["PrivateKeyFlags"] = fields{"ClientVersion": "WINDOWS_SERVER_2016", "RequireSameKeyRenewal": true}
	}, allowed(usersSID))
	k := key(t)
	cert, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: k}, 1))
	w.issued(aliceSID, w.renewal(k, k, cert))
}

const queryType = "http://schemas.microsoft.com/windows/pki/2009/01/enrollment/QueryTokenStatus"

// TestQueryTokenStatus: who made a request may ask for it again, and nobody learns of others'.
func TestQueryTokenStatus(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	leaf, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: key(t)}, 1))
	ask := func(sid, id string) string {
		return w.send(sid, cesPath, rst(queryType, nil, `<RequestID xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollment">`+id+`</RequestID>`)).Body.String()
	}
	again, response, answer := w.certificate(ask(aliceSID, "1"))
	if !again.Equal(leaf) {
		t.Error("another certificate")
	}
	checkAnswer(t, answer)
	w.verifyCMC(response)
	for _, id := range []string{"0", "2", "-1", "x", "99999999999999999999"} {
		w.refused(hresult.NoRequest, ask(aliceSID, id))
	}
	w.refused(hresult.NoRequest, ask(bobSID, "1"))
	w.refused(hresult.InvalidArgument, ask(aliceSID, ""))
	w.refused(hresult.NotImplemented, w.send(aliceSID, cesPath, rst("http://docs.oasis-open.org/ws-sx/ws-trust/200512/KET", nil, "")).Body.String())
	w.refused(hresult.InvalidArgument, w.send(aliceSID, cesPath, rst("urn:other", nil, "")).Body.String())
	w.refused(hresult.InvalidArgument, w.send(aliceSID, cesPath, rst(issueType, nil, "")).Body.String())
}

// TestRequestIDs: they begin at 1 and are never given twice, on whatever node.
func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	other := New(w.h.cfg)
	seen := map[int64]bool{}
	c := &connector{row: store.Connector{Account: account, Region: region, ID: connectorID}}
	for i := range 3 * idBlock {
		h := w.h
		if i%2 == 1 {
			h = other
		}
		id, err := h.nextID(t.Context(), c)
		if err != nil || id < 1 || seen[id] || i == 0 && id != 1 {
			t.Fatalf("id %d, %v", id, err)
		}
		seen[id] = true
	}
}
