// Package webidentity verifies the tokens of OpenID Connect providers: it fetches a provider's discovery document and
// keys over HTTPS within tight bounds, remembers them, and checks a JSON Web Token's signature, issuer, times and
// audience.
//
// It does not know roles, policies or accounts, and does not decide which providers are trusted: its caller names one.
// Tokens may be shown again until they expire, as in AWS. Start with [Verifier.Verify]; fetch.go and address.go say
// where a connection may go, keys.go what is remembered, token.go what is checked.
package webidentity

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// Provider is a provider that an account trusts.
type Provider struct {
	URL         string   // of the issuer without "https://"
	ClientIDs   []string // audiences that the account accepts
	Thumbprints []string // SHA-1 of top certificates, lower-case hex; may be empty
}

// Issuer is what the token's iss must be, to the letter.
func (p *Provider) Issuer() string { return "https://" + p.URL }

// key names what is remembered for a provider: the thumbprints decide whom the fetch believed, so they are part of it.
func (p *Provider) key() [sha256.Size]byte {
	return sha256.Sum256([]byte(p.URL + "\n" + strings.Join(p.Thumbprints, "\n")))
}

// Config says where connections may go. The zero value reaches public addresses whose certificates public CAs vouch for.
type Config struct {
	// Allow are addresses that may be connected to beside public ones.
	Allow []netip.Prefix
	// Roots are CAs for the providers' servers. Nil are the system's.
	Roots *x509.CertPool
	// Clock is for tests. Nil is time.Now.
	Clock func() time.Time
}

// Errors of [Verifier.Verify]. Each is wrapped with a reason that may be shown to whoever sent the token.
var (
	// ErrToken is a token that is not acceptable, whenever it is shown.
	ErrToken = errors.New("the token is not valid")
	// ErrAudience is a token for somebody else.
	ErrAudience = errors.New("the token is for another audience")
	// ErrExpired is a token past its time.
	ErrExpired = errors.New("the token has expired")
	// ErrUnreachable is a provider that could not be asked; trying again may help.
	ErrUnreachable = errors.New("the provider could not be reached")
	// ErrKeys is a provider whose answer cannot be used.
	ErrKeys = errors.New("the provider's keys could not be retrieved")
)
