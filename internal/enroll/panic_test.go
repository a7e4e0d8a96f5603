package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// broken panics where it is told to: libraries that read what strangers send.
type broken struct {
	*people
	accept, fresh bool
}

func (b *broken) Accept(header string, leaf *x509.Certificate) (*kerberos.Identity, string, error) {
	if b.accept {
		panic("index out of range")
	}
	return b.people.Accept(header, leaf)
}

func (b *broken) Fresh(ctx context.Context, sid string) (*directory.Entry, error) {
	if b.fresh {
		panic("nil map")
	}
	return b.people.Fresh(ctx, sid)
}

// brokenKeys panic inside the transaction that issues.
type brokenKeys struct{ authority.Keys }

func (brokenKeys) Use(string, []byte, func(crypto.Signer) error) error { panic("a token that is gone") }

// TestPanics: a panic ends one request, with an answer and a record, and nothing is issued.
func TestPanics(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	b := &broken{people: w.people}
	w.h.cfg.Open = func(*store.Directory) (Acceptor, Directory, func(), error) { return b, b, nil, nil }
	ask := func() *httptest.ResponseRecorder {
		return w.send(aliceSID, cesPath, rst(issueType, w.windows(cmctest.Request{Key: key(t)}, 1), ""))
	}
	b.accept = true
	if rec := ask(); rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "index") {
		t.Errorf("Kerberos: %d %s", rec.Code, rec.Body)
	}
	b.accept, b.fresh = false, true
	rec := ask()
	w.refused(hresult.Failure, rec.Body.String())
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "nil map") {
		t.Errorf("directory: %d %s", rec.Code, rec.Body)
	}
	if e := w.event(); e["errorCode"] != "InternalFailure" {
		t.Errorf("event %v", e)
	}
	b.fresh = false
	sound := w.h.cfg.Issuer
	w.h.cfg.Issuer = issuance.New(brokenKeys{w.keys})
	w.refused(hresult.Failure, ask().Body.String())
	w.h.cfg.Issuer = sound
	w.issuedCount(0)
	if rec := ask(); rec.Code != http.StatusOK {
		t.Errorf("afterwards: %d %s", rec.Code, rec.Body)
	}
	w.issuedCount(1)
}

// TestLimitsAreNotShared: a stranger, and a member that asks without end, keep nobody else out.
func TestLimitsAreNotShared(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	from := func(address, sid string) int {
		r := httptest.NewRequest(http.MethodPost, "https://"+policyHost+cepPath, strings.NewReader(envelope("x", "", getPolicies("", noFilter))))
		r.Header.Set("Content-Type", "application/soap+xml")
		r.RemoteAddr = address
		if sid != "" {
			r.Header.Set("Authorization", "Negotiate "+sid)
		}
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		return rec.Code
	}
	const stranger, office = "192.0.2.66:1", "192.0.2.7:1"
	refused := 0
	for range 4 * sourceBurst {
		if from(stranger, "") == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("a stranger may ask as often as it likes")
	}
	refused = 0
	for range 2 * callerBurst {
		if from(office, aliceSID) == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < callerBurst/2 {
		t.Errorf("one account was refused %d of %d times", refused, 2*callerBurst)
	}
	if code := from(office, bobSID); code != http.StatusOK {
		t.Errorf("another member at the same address: %d", code)
	}
}
