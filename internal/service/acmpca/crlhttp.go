package acmpca

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// ServeCRL answers GET and HEAD for a CA's revocation list, without authentication: lists are public and signed.
func (s *Service) ServeCRL(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, issuance.CRLPath), ".crl")
	if !ok || !isUUID(id) {
		http.NotFound(w, r)
		return
	}
	list, err := s.cfg.DB.View().AuthorityCRL(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		s.cfg.Log.Error("a revocation list could not be read", "authority", id, "error", err)
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/pkix-crl")
	h.Set("Content-Length", strconv.Itoa(len(list.Row.DER)))
	h.Set("ETag", `"`+strconv.FormatInt(list.Row.Number, 10)+`"`)
	h.Set("Last-Modified", time.UnixMilli(list.Row.Number).UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-cache") // ask again: a revocation makes a new list at once
	if r.Method == http.MethodHead {
		return
	}
	w.Write(list.Row.DER) //nolint:errcheck // nothing to do for a client that left
}
