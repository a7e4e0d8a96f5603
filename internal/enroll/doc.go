// Package enroll answers Windows' certificate enrollment: the policy protocol MS-XCEP ("CEP") and the enrollment protocol
// MS-WSTEP ("CES"), for the connectors of a directory. Clients come with Kerberos or with a user name and password inside
// the SOAP message; who they are is a SID, and what they may have follows from the directory as it is now, the template and
// its access entries.
//
// It signs nothing itself: package issuance does. It has no certificate authentication (that needs XML signatures), no
// approval by a person, and no enrollment on behalf of others.
//
// Start with [Handler.ServeHTTP]; policies.go is the policy protocol, issue.go the enrollment.
package enroll

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/enroll/cmc"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/store"
)

// EventSource is the service's name in audit events.
const EventSource = "pca-connector-ad.amazonaws.com"

// Acceptor says who sent an Authorization header; *kerberos.Acceptor is one. A ticket without a PAC is an error.
type Acceptor interface {
	Accept(header string, serverLeaf *x509.Certificate) (*kerberos.Identity, string, error)
}

// Directory is what enrollment asks the directory; *directory.Client is one.
type Directory interface {
	// Lookup reads the account with the SID, from memory if it was read moments ago. Accounts that are disabled or expired
	// are an error.
	Lookup(ctx context.Context, sid string) (*directory.Entry, error)
	// Fresh is Lookup that always asks: what is issued is decided by the groups of now.
	Fresh(ctx context.Context, sid string) (*directory.Entry, error)
	// Authenticate checks a password and returns the account that it is of.
	Authenticate(ctx context.Context, username, password string) (*directory.Entry, error)
}

// Opener connects to a directory. close ends what it opened; it may be nil.
type Opener func(row *store.Directory) (a Acceptor, d Directory, close func(), err error)

// Config is what a [Handler] works with. All fields but the last three are required.
type Config struct {
	DB     *store.DB
	Issuer *issuance.Issuer
	Audit  *audit.Log
	Log    *slog.Logger
	Open   Opener
	// ServerLeaf is the certificate that the request's TLS connection was served with; nil for none.
	ServerLeaf func(*http.Request) *x509.Certificate
	// Metrics counts requests by operation and result; nil for none.
	Metrics *metrics.Registry
	// Requests loosens what certificate requests may look like.
	Requests cmc.Options
}

// Limits of one node.
const (
	requestTimeout     = 25 * time.Second
	passwordsPerSecond = 50 // of all sources together: each is a bind at the directory; see limit.go for one
	refusalsPerSecond  = 20
	idBlock            = 64 // request ids that a node reserves at a time
)

// Handler answers the enrollment endpoints. It is safe for concurrent use.
type Handler struct {
	cfg       Config
	view      *store.View
	passwords *rate.Limiter
	refusals  *rate.Limiter // audit records of strangers
	sources   *limits[netip.Addr]
	callers   *limits[string]     // by SID
	wrong     *limits[netip.Addr] // passwords

	mu    sync.Mutex // guards the directories that are open
	sites map[siteKey]*site

	idMu sync.Mutex // guards ids
	ids  map[siteKey]*idRange
}

// New makes a handler. Close it after use.
func New(cfg Config) *Handler {
	limiter := func(n float64) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), int(n)) }
	return &Handler{
		cfg: cfg, view: cfg.DB.View(), passwords: limiter(passwordsPerSecond), refusals: limiter(refusalsPerSecond),
		sources: newLimits[netip.Addr](sourceRate, sourceBurst), callers: newLimits[string](callerRate, callerBurst), wrong: newLimits[netip.Addr](wrongRate, wrongBurst),
		sites: map[siteKey]*site{}, ids: map[siteKey]*idRange{},
	}
}

// Close ends the connections to the directories.
func (h *Handler) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, s := range h.sites {
		s.close()
		delete(h.sites, key)
	}
}

// Handles reports whether the request is for an enrollment endpoint.
func (h *Handler) Handles(r *http.Request) bool {
	_, ok := parsePath(r.URL.Path)
	return ok
}
