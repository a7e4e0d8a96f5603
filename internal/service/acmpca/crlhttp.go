package acmpca

import (
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// ServeCRL answers GET and HEAD for a revocation list, without authentication: lists are public and signed. The last segment
// of the path is the list's id; custom paths make the rest anything.
func (s *Service) ServeCRL(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutSuffix(path.Base(r.URL.Path), issuance.CRLEnd)
	if !ok || !isUUID(id) {
		http.NotFound(w, r)
		return
	}
	cached, err := s.cfg.DB.View().PublishedList(r.Context(), id)
	if err != nil {
		s.notServed(w, r, "a revocation list could not be read", id, err)
		return
	}
	list := &cached.Row
	h := w.Header()
	h.Set("Content-Type", "application/pkix-crl")
	etag := `"` + strconv.FormatInt(list.Number, 10) + `"`
	h.Set("ETag", etag)
	h.Set("Last-Modified", time.UnixMilli(list.Number).UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-cache") // ask again: a revocation makes a new list at once
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.FormatInt(list.Bytes, 10))
	if r.Method == http.MethodHead {
		return
	}
	if list.Chunks == 1 {
		w.Write(list.DER) //nolint:errcheck // nothing to do for a client that left
		return
	}
	s.sendChunks(w, r, &list.AuthorityList)
}

// chunkTimeout is how long a client may take for one part of a large list.
const chunkTimeout = 30 * time.Second

// sendChunks sends a large list part by part, and no more than one is in memory.
func (s *Service) sendChunks(w http.ResponseWriter, r *http.Request, l *store.AuthorityList) {
	out := http.NewResponseController(w)
	for n := range l.Chunks {
		data, err := s.cfg.DB.View().ListChunk(r.Context(), l, n)
		if err == nil {
			out.SetWriteDeadline(time.Now().Add(chunkTimeout)) //nolint:errcheck // a writer without deadlines has the server's
			_, err = w.Write(data)
		}
		if err != nil {
			panic(http.ErrAbortHandler) // the client must not take a part for the whole
		}
	}
}

// ServeCertificate answers GET and HEAD for a CA's own certificate, in DER (RFC 5280 §4.2.2.1).
func (s *Service) ServeCertificate(w http.ResponseWriter, r *http.Request) {
	id, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, issuance.CAPath), issuance.CAEnd)
	if !ok || !isUUID(id) {
		http.NotFound(w, r)
		return
	}
	ca, err := s.cfg.DB.View().PublicAuthority(r.Context(), id)
	if err == nil && (len(ca.Row.Certificate) == 0 || ca.Row.Status == string(deleted)) {
		err = store.ErrNotFound
	}
	if err != nil {
		s.notServed(w, r, "a certificate authority could not be read", id, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/pkix-cert")
	h.Set("Content-Length", strconv.Itoa(len(ca.Row.Certificate)))
	h.Set("Cache-Control", "max-age=3600, public")
	if r.Method != http.MethodHead {
		w.Write(ca.Row.Certificate) //nolint:errcheck // nothing to do for a client that left
	}
}

func (s *Service) notServed(w http.ResponseWriter, r *http.Request, what, id string, err error) {
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	s.cfg.Log.Error(what, "authority", id, "error", err)
	http.Error(w, "unavailable", http.StatusServiceUnavailable)
}
