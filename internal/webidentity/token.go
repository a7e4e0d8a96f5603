package webidentity

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"
)

// MaxToken is the longest token, in bytes; the API's own limit (STS, WebIdentityToken).
const MaxToken = 20_000

// skew is how far a provider's clock may be from ours.
const skew = 30 * time.Second

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// algorithms are all that are accepted: no "none", no symmetric ones.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

// Verifier verifies tokens and remembers providers' keys. It is safe for concurrent use.
type Verifier struct {
	cfg    Config
	memory memory
}

// New makes a verifier.
func New(cfg Config) *Verifier {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Verifier{cfg: cfg}
}

// Token is a token that was read but not verified. Nothing in it is true yet.
type Token struct {
	jws    *jose.JSONWebSignature
	claims Claims
	issuer string
}

// Issuer is who the token claims to be from, for finding the provider.
func (t *Token) Issuer() string { return t.issuer }

// Claims are the claims of a token; [Verifier.Verify] returns verified ones.
type Claims map[string]any

// Identity is what a verified token says.
type Identity struct {
	Subject  string
	Audience []string // azp alone if the token has one, else aud
	Claims   Claims
}

// Parse reads a token in compact form. Its error wraps [ErrToken].
func Parse(text string) (*Token, error) {
	if len(text) > MaxToken {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrToken, MaxToken)
	}
	if strings.ContainsFunc(text, notCompact) { // the library would skip white space: one spelling of a token only
		return nil, fmt.Errorf("%w: it is not a signed JSON Web Token", ErrToken)
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, fmt.Errorf("%w: it is not a signed JSON Web Token with an accepted algorithm", ErrToken)
	}
	t := &Token{jws: jws}
	// The JOSE library's decoder tells upper from lower case and refuses duplicate names: one reading of a claim only.
	if err := josejson.Unmarshal(jws.UnsafePayloadWithoutVerification(), &t.claims); err != nil || t.claims == nil {
		return nil, fmt.Errorf("%w: its claims are not a JSON object", ErrToken)
	}
	t.issuer, _ = t.claims["iss"].(string)
	if t.issuer == "" {
		return nil, missing("iss")
	}
	return t, nil
}

// notCompact tells what does not belong into a compact serialization (RFC 7515 §7.1).
func notCompact(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// Verify checks a token against the provider that its issuer names. The error wraps one of this package's.
func (v *Verifier) Verify(ctx context.Context, p *Provider, t *Token) (*Identity, error) {
	if t.issuer != p.Issuer() {
		return nil, fmt.Errorf("%w: its issuer is not the provider", ErrToken)
	}
	header := t.jws.Signatures[0].Protected
	alg := jose.SignatureAlgorithm(header.Algorithm)
	k, err := v.key(ctx, p, header.KeyID, alg)
	if err != nil {
		return nil, err
	}
	// The bare key goes in: nothing of the token's header chooses it, and the algorithm fits it.
	if _, err := t.jws.Verify(k.Key); err != nil {
		return nil, fmt.Errorf("%w: its signature does not match the provider's key", ErrToken)
	}
	if err := checkTimes(t.claims, v.cfg.Clock()); err != nil {
		return nil, err
	}
	id := &Identity{Claims: t.claims}
	if id.Subject, _ = t.claims["sub"].(string); id.Subject == "" {
		return nil, missing("sub")
	}
	if len(id.Subject) > 255 { // OpenID Connect Core §2
		return nil, fmt.Errorf("%w: its sub is longer than 255 bytes", ErrToken)
	}
	if id.Audience, err = audience(t.claims); err != nil {
		return nil, err
	}
	for _, a := range id.Audience {
		for _, c := range p.ClientIDs {
			if a == c {
				return id, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: none of the provider's client ids", ErrAudience)
}

func missing(claim string) error {
	return fmt.Errorf("%w: a required claim is missing: %s", ErrToken, claim)
}

// checkTimes holds exp, nbf and iat (RFC 7519 §4.1) against the clock. exp and iat are required (OpenID Connect Core §2).
func checkTimes(c Claims, now time.Time) error {
	exp, err := c.date("exp")
	if err != nil {
		return err
	}
	if exp.IsZero() {
		return missing("exp")
	}
	if !now.Before(exp.Add(skew)) {
		return fmt.Errorf("%w: current date/time %d must be before the expiration date/time %d", ErrExpired, now.Unix(), exp.Unix())
	}
	iat, err := c.date("iat")
	if err != nil {
		return err
	}
	if iat.IsZero() {
		return missing("iat")
	}
	nbf, err := c.date("nbf")
	if err != nil {
		return err
	}
	if iat.After(now.Add(skew)) || nbf.After(now.Add(skew)) {
		return fmt.Errorf("%w: it is not valid yet", ErrToken)
	}
	return nil
}

// date reads a NumericDate; the zero time if it is not there.
func (c Claims) date(name string) (time.Time, error) {
	v, ok := c[name]
	if !ok {
		return time.Time{}, nil
	}
	n, ok := v.(float64)
	if !ok || math.IsNaN(n) || n < 1 || n > maxNumericDate {
		return time.Time{}, fmt.Errorf("%w: its %s is not a date", ErrToken, name)
	}
	return time.Unix(int64(n), 0), nil
}

// audience is whom the token is for: the authorized party if there is one, as in AWS.
func audience(c Claims) ([]string, error) {
	aud, ok := c.Strings("aud")
	if !ok || len(aud) == 0 {
		return nil, missing("aud")
	}
	if v, ok := c["azp"]; ok {
		azp, ok := v.(string)
		if !ok || azp == "" {
			return nil, fmt.Errorf("%w: its azp is not text", ErrToken)
		}
		return []string{azp}, nil
	}
	return aud, nil
}

// Strings is a claim that is text or a list of text; at most 100 values.
func (c Claims) Strings(name string) ([]string, bool) {
	switch v := c[name].(type) {
	case string:
		return []string{v}, v != ""
	case []any:
		if len(v) > 100 {
			return nil, false
		}
		out := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok || s == "" {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

// Names of AWS's claims (IAM User Guide, "Passing session tags using AssumeRoleWithWebIdentity").
const (
	tagsClaim           = "https://aws.amazon.com/tags"
	sourceIdentityClaim = "https://aws.amazon.com/source_identity"
)

// Tags are the session tags that a provider puts into a token.
type Tags struct {
	Principal  map[string]string
	Transitive []string
}

// SourceIdentity is the source identity that the provider sets; "" for none.
func (c Claims) SourceIdentity() (string, error) {
	v, ok := c[sourceIdentityClaim]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", fmt.Errorf("%w: its source identity is not text", ErrToken)
	}
	return s, nil
}

// Tags reads the session tags, in AWS's nested form or its flattened one; not both.
func (c Claims) Tags() (*Tags, error) {
	bad := fmt.Errorf("%w: its session tags do not have AWS's form", ErrToken)
	principal, transitive := map[string]any{}, any(nil)
	flat := false
	for name, v := range c {
		rest, ok := strings.CutPrefix(name, tagsClaim+"/")
		if !ok {
			continue
		}
		flat = true
		if key, ok := strings.CutPrefix(rest, "principal_tags/"); ok && key != "" {
			principal[key] = v
		} else if rest == "transitive_tag_keys" {
			transitive = v
		} else {
			return nil, bad
		}
	}
	if v, ok := c[tagsClaim]; ok {
		m, ok := v.(map[string]any)
		if !ok || flat {
			return nil, bad
		}
		if pt, ok := m["principal_tags"]; ok {
			if principal, ok = pt.(map[string]any); !ok {
				return nil, bad
			}
		}
		transitive = m["transitive_tag_keys"]
	}
	out := &Tags{Principal: make(map[string]string, len(principal))}
	for key, v := range principal {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		s, ok := v.(string)
		if !ok {
			return nil, bad
		}
		out.Principal[key] = s
	}
	if transitive != nil {
		var ok bool
		if out.Transitive, ok = (Claims{"k": transitive}).Strings("k"); !ok {
			return nil, bad
		}
	}
	return out, nil
}
