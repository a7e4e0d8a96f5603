package gate

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/sigv4"
)

// Authenticate verifies the request's SigV4 signature. On failure it may return the principal that the request claims
// to be, for the audit event.
func (g *Gate) Authenticate(r *http.Request, claims *sigv4.Claims, body []byte, service string, now time.Time) (*awsapi.Principal, error) {
	return g.authenticate(r, claims, service, &sigv4.Check{Now: now, BodySHA256: sha256.Sum256(body)})
}

// AuthenticateProxied verifies the signature of a request to another service, whose proxy asks; check says what of it is
// known here. It fails as [Gate.Authenticate] does.
func (g *Gate) AuthenticateProxied(r *http.Request, claims *sigv4.Claims, service string, check *sigv4.Check) (*awsapi.Principal, error) {
	return g.authenticate(r, claims, service, check)
}

func (g *Gate) authenticate(r *http.Request, claims *sigv4.Claims, service string, check *sigv4.Check) (*awsapi.Principal, error) {
	if claims == nil {
		if _, err := sigv4.Parse(r); err != nil {
			return nil, signatureError(err)
		}
		return nil, errUnparsed // fail closed: the caller says that it could not be read
	}
	if claims.X509() {
		return nil, awsapi.Errorf("IncompleteSignature", http.StatusForbidden, "A certificate's signature is accepted by CreateSession only: sign with the credentials it returned")
	}
	if claims.Service != service {
		return nil, awsapi.Errorf("SignatureDoesNotMatch", http.StatusForbidden, "Credential should be scoped to correct service: '%s'.", service)
	}
	if !validRegion(claims.Region) {
		return nil, awsapi.Errorf("SignatureDoesNotMatch", http.StatusForbidden, "Credential should be scoped to a valid region.")
	}
	p, secret, err := g.locate(r.Context(), claims.KeyID, claims.SecurityToken, check.Now)
	if err != nil {
		return nil, err
	}
	if err := claims.Verify(r, signingKey(p, secret, claims), check); err != nil {
		return p, signatureError(err)
	}
	return p, nil
}

// signingKey derives the key of the claims' scope. A session's last one is remembered with its token: requests of one
// session share their scope for a day.
func signingKey(p *awsapi.Principal, secret string, c *sigv4.Claims) sigv4.Key {
	if p.Session == nil {
		return sigv4.DeriveKey(secret, c.Date, c.Region, c.Service)
	}
	return memoOf(p.Session).signingKey(secret, c)
}

var errUnparsed = errors.New("a request whose signature was not read")

// validRegion bounds what becomes part of keys and ARNs: lower-case letters, digits and hyphens, 1 to 40 bytes.
func validRegion(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// signatureError gives a verifier's finding the code clients know. Its text is AWS's already where AWS has one.
func signatureError(err error) error {
	var se *sigv4.Error
	if !errors.As(err, &se) {
		return err
	}
	code := "SignatureDoesNotMatch"
	switch se.Reason {
	case sigv4.NotSigned:
		return awsapi.Errorf("MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token")
	case sigv4.Incomplete, sigv4.BadAlgorithm:
		code = "IncompleteSignature"
	}
	return awsapi.Errorf(code, http.StatusForbidden, "%s", se.Detail)
}
