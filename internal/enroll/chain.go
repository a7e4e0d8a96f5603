package enroll

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/cmc"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// serveChain answers SCEP's GetCACert (RFC 8894 §4.2), which Samba's group policy client asks for the certificates to trust.
// They are public.
func (h *Handler) serveChain(ctx context.Context, w http.ResponseWriter, r *http.Request, sites []*site) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.Query().Get("operation") != "GetCACert" {
		http.Error(w, "only GET with operation=GetCACert is answered here", http.StatusBadRequest)
		return
	}
	list, err := h.chain(ctx, sites)
	if err != nil {
		h.cfg.Log.Error("enrollment: chain", "error", err)
		http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
		return
	}
	switch len(list) {
	case 0:
		http.NotFound(w, r)
		return
	case 1:
		w.Header().Set("Content-Type", "application/x-x509-ca-cert")
		w.Write(list[0].Raw) //nolint:errcheck // nothing to do for a client that left
		return
	}
	der, err := cmc.Chain(list)
	if err != nil {
		h.cfg.Log.Error("enrollment: chain", "error", err)
		http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-ra-cert")
	w.Write(der) //nolint:errcheck // nothing to do for a client that left
}

// chain is the certificates of all CAs of the host, each once, the issuing ones first.
func (h *Handler) chain(ctx context.Context, sites []*site) ([]*x509.Certificate, error) {
	var list, above []*x509.Certificate
	now := time.Now()
	for _, s := range sites {
		connectors, err := h.connectors(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, c := range connectors {
			ca, err := h.view.Authority(ctx, c.row.Account, c.row.Region, c.authority)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			cert, err := issuance.Certificate(&ca.Row)
			if err != nil {
				return nil, err
			}
			if cert == nil || string(issuance.StatusOf(&ca.Row, now)) != active {
				continue
			}
			more, err := issuance.Chain(&ca.Row)
			if err != nil {
				return nil, err
			}
			list, above = add(list, cert), add(above, more...)
		}
	}
	return add(list, above...), nil
}

func add(list []*x509.Certificate, more ...*x509.Certificate) []*x509.Certificate {
next:
	for _, c := range more {
		for _, have := range list {
			if have.Equal(c) {
				continue next
			}
		}
		list = append(list, c)
	}
	return list
}
