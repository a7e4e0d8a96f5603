package webissuer

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// Path is what the issuers' paths begin with; the account follows.
const Path = "/oidc/"

const (
	discoveryName = ".well-known/openid-configuration" // OpenID Connect Discovery 1.0 §4
	keysName      = ".well-known/jwks.json"

	// cacheFor is well below publishAhead: a verifier knows a key before it signs.
	cacheFor = "public, max-age=3600"
)

// discovery is the document that verifiers begin with.
type discovery struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Claims        []string `json:"claims_supported"`
}

// ServeHTTP answers ACCOUNT/.well-known/openid-configuration and ACCOUNT/.well-known/jwks.json under [Path], for accounts
// that are issuers or were one: what they signed has to verify until it expires.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Path), "/")
	account, err := arn.ParseAccountID(text)
	if err != nil || name != discoveryName && name != keysName {
		http.NotFound(w, r)
		return
	}
	_, c, err := i.load(r.Context(), account)
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	body := []byte(nil)
	if err == nil {
		body, err = i.document(account, name, c)
	}
	if err != nil {
		i.cfg.Log.Error("an issuer's document could not be made", "account", account, "error", err)
		http.Error(w, "the document is not available now", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", cacheFor)
	if name == keysName && len(c.keys) == 0 {
		w.Header().Set("Cache-Control", "no-store") // the first keys are being made
	}
	w.Write(body) //nolint:errcheck // nothing to do for a client that left
}

func (i *Issuer) document(account arn.AccountID, name string, c *compiled) ([]byte, error) {
	if name == keysName {
		return c.jwks, nil
	}
	url := i.URL(account)
	d := discovery{
		Issuer: url, JWKSURI: url + "/" + keysName, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		Claims: []string{"aud", "exp", "iat", "iss", "jti", "sub", "https://sts.amazonaws.com/"},
	}
	for _, a := range Algorithms {
		d.Algorithms = append(d.Algorithms, string(a))
	}
	return json.Marshal(d)
}
