package webidentity

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestEveryAlgorithm(t *testing.T) {
	p := newIDP(t)
	v := p.verifier(at(t0))
	p.publish(rsaKey(), "rsa", "")
	tokens := map[jose.SignatureAlgorithm]string{}
	for alg, c := range map[jose.SignatureAlgorithm]elliptic.Curve{jose.ES256: elliptic.P256(), jose.ES384: elliptic.P384(), jose.ES512: elliptic.P521()} {
		k := ecKey(t, c)
		p.publish(k, string(alg), "")
		tokens[alg] = sign(t, k, alg, string(alg), p.claims(nil))
	}
	for alg, text := range tokens {
		if id, err := check(t, v, p.provider("sts"), text); err != nil || id.Subject != "repo:x" {
			t.Errorf("%s: %v %v", alg, id, err)
		}
	}
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512} {
		if _, err := check(t, v, p.provider("other", "sts"), sign(t, rsaKey(), alg, "rsa", p.claims(nil))); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// Nothing but the provider's key and its own algorithm makes a signature good.
func TestAlgorithmConfusion(t *testing.T) {
	p := newIDP(t)
	p.publish(rsaKey(), "rsa", "RS256")
	p256 := ecKey(t, elliptic.P256())
	p.publish(p256, "ec", "ES384") // announced for an algorithm that it does not fit
	v := p.verifier(at(t0))
	public, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	none := enc([]byte(`{"alg":"none","kid":"rsa"}`)) + "." + enc([]byte(`{"iss":"https://`+p.url+`","sub":"x","aud":"sts","iat":1,"exp":9999999999}`)) + "."
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: other, KeyID: "rsa"}}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := embedded.Sign([]byte(`{"iss":"https://` + p.url + `","sub":"x","aud":"sts","iat":1,"exp":9999999999}`))
	if err != nil {
		t.Fatal(err)
	}
	withKey, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, rsaKey(), jose.RS256, "rsa", p.claims(nil))
	for name, text := range map[string]string{
		"none": none, "none in capitals": strings.Replace(none, enc([]byte(`{"alg":"none","kid":"rsa"}`)), enc([]byte(`{"alg":"NONE","kid":"rsa"}`)), 1),
		"HMAC with the public key as PEM":      sign(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), jose.HS256, "rsa", p.claims(nil)),
		"HMAC with the public key as DER":      sign(t, public, jose.HS512, "rsa", p.claims(nil)),
		"a key in the header":                  withKey,
		"another key":                          sign(t, other, jose.RS256, "rsa", p.claims(nil)),
		"an algorithm that the key is not for": sign(t, rsaKey(), jose.PS256, "rsa", p.claims(nil)),
		"a curve of another algorithm":         sign(t, p256, jose.ES256, "ec", p.claims(nil)),
		"an unknown key id":                    sign(t, rsaKey(), jose.RS256, "nobody", p.claims(nil)),
		"no signature":                         good[:strings.LastIndexByte(good, '.')+1],
		"a changed payload":                    strings.Replace(good, ".", ".A", 1),
		"JSON serialization":                   `{"payload":"e30","signatures":[]}`,
		"a line break":                         good + "\n", // compact form has none
		"five parts":                           good + ".AA.AA",
		"nothing":                              "",
	} {
		if id, err := check(t, v, p.provider("sts"), text); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
	if _, err := check(t, v, p.provider("sts"), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestClaims(t *testing.T) {
	p := newIDP(t)
	p.publish(rsaKey(), "k", "")
	v := p.verifier(at(t0))
	for name, c := range map[string]struct {
		change map[string]any
		want   error // nil: accepted
	}{
		"good":                       {nil, nil},
		"expired":                    {map[string]any{"exp": t0.Unix() - 31}, ErrExpired},
		"expired within skew":        {map[string]any{"exp": t0.Unix() - 29}, nil},
		"no exp":                     {map[string]any{"exp": nil}, ErrToken},
		"exp as text":                {map[string]any{"exp": "9999999999"}, ErrToken},
		"exp beyond time":            {map[string]any{"exp": 1e300}, ErrToken},
		"negative exp":               {map[string]any{"exp": -1}, ErrToken},
		"fraction":                   {map[string]any{"exp": float64(t0.Unix()) + 0.5}, nil},
		"no iat":                     {map[string]any{"iat": nil}, ErrToken},
		"iat to come":                {map[string]any{"iat": t0.Unix() + 31}, ErrToken},
		"nbf to come":                {map[string]any{"nbf": t0.Unix() + 31}, ErrToken},
		"nbf within skew":            {map[string]any{"nbf": t0.Unix() + 29}, nil},
		"no sub":                     {map[string]any{"sub": nil}, ErrToken},
		"sub as number":              {map[string]any{"sub": 7}, ErrToken},
		"long sub":                   {map[string]any{"sub": strings.Repeat("x", 256)}, ErrToken},
		"no iss":                     {map[string]any{"iss": nil}, ErrToken},
		"iss with a slash":           {map[string]any{"iss": "https://" + p.url + "/"}, ErrToken},
		"iss in capitals":            {map[string]any{"iss": "HTTPS://" + p.url}, ErrToken},
		"no aud":                     {map[string]any{"aud": nil}, ErrToken},
		"another aud":                {map[string]any{"aud": "x"}, ErrAudience},
		"aud as list":                {map[string]any{"aud": []string{"x", "sts"}}, nil},
		"aud with a number":          {map[string]any{"aud": []any{"sts", 1}}, ErrToken},
		"azp decides":                {map[string]any{"aud": "account", "azp": "sts"}, nil},
		"azp of somebody else":       {map[string]any{"azp": "x"}, ErrAudience},
		"azp as number":              {map[string]any{"azp": 1}, ErrToken},
		"another spelling of a name": {map[string]any{"exp": nil, "Exp": t0.Unix() + 300}, ErrToken},
	} {
		if _, err := check(t, v, p.provider("sts"), sign(t, rsaKey(), jose.RS256, "k", p.claims(c.change))); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	twice := `{"iss":"https://` + p.url + `","sub":"a","sub":"b","aud":"sts","iat":1,"exp":9999999999}`
	if _, err := check(t, v, p.provider("sts"), sign(t, rsaKey(), jose.RS256, "k", []byte(twice))); !errors.Is(err, ErrToken) {
		t.Errorf("a claim twice: %v", err)
	}
	if _, err := check(t, v, p.provider(), sign(t, rsaKey(), jose.RS256, "k", p.claims(nil))); !errors.Is(err, ErrAudience) {
		t.Errorf("a provider without client ids: %v", err)
	}
}

func TestSessionTagClaims(t *testing.T) {
	want := &Tags{Principal: map[string]string{"Team": "blue", "a/b": ""}, Transitive: []string{"Team"}}
	for name, c := range map[string]Claims{
		"nested": {tagsClaim: map[string]any{"principal_tags": map[string]any{"Team": []any{"blue"}, "a/b": []any{""}}, "transitive_tag_keys": []any{"Team"}}},
		"flat":   {tagsClaim + "/principal_tags/Team": "blue", tagsClaim + "/principal_tags/a/b": []any{""}, tagsClaim + "/transitive_tag_keys": []any{"Team"}},
	} {
		got, err := c.Tags()
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v %s", name, err, cmp.Diff(want, got))
		}
	}
	for name, c := range map[string]Claims{
		"text": {tagsClaim: "x"}, "two values": {tagsClaim: map[string]any{"principal_tags": map[string]any{"k": []any{"a", "b"}}}},
		"number": {tagsClaim: map[string]any{"principal_tags": map[string]any{"k": 1.0}}}, "keys": {tagsClaim: map[string]any{"transitive_tag_keys": []any{1.0}}},
		"both forms": {tagsClaim: map[string]any{}, tagsClaim + "/principal_tags/k": "v"}, "unknown": {tagsClaim + "/other": "v"},
	} {
		if got, err := c.Tags(); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if got, err := (Claims{}).Tags(); err != nil || len(got.Principal) != 0 {
		t.Errorf("no tags: %v %v", got, err)
	}
	if _, err := (Claims{sourceIdentityClaim: 1.0}).SourceIdentity(); !errors.Is(err, ErrToken) {
		t.Errorf("source identity: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	p := &idp{url: "idp.example"}
	f.Add(sign(f, rsaKey(), jose.RS256, "k", p.claims(nil)))
	f.Add(sign(f, rsaKey(), jose.PS512, "", map[string]any{"iss": "https://x", tagsClaim: map[string]any{"principal_tags": map[string]any{"k": []string{"v"}}}}))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Fatalf("%v", err)
			}
			return
		}
		if token.Issuer() == "" || len(text) > MaxToken {
			t.Fatalf("accepted %q", text)
		}
		alg := jose.SignatureAlgorithm(token.jws.Signatures[0].Protected.Algorithm)
		if !strings.Contains("RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512", string(alg)) {
			t.Fatalf("algorithm %q", alg)
		}
		checkTimes(token.claims, t0)  //nolint:errcheck // must not panic
		audience(token.claims)        //nolint:errcheck // likewise
		token.claims.Tags()           //nolint:errcheck // likewise
		token.claims.SourceIdentity() //nolint:errcheck // likewise
		_, _ = token.claims.Strings("amr")
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseKeySet(body)
		if err != nil {
			return
		}
		for i := range s.keys {
			if !usable(&s.keys[i]) {
				t.Fatal("an unusable key is in the set")
			}
		}
		s.find("", jose.RS256)
	})
}
