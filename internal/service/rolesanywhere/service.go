// Package rolesanywhere implements IAM Roles Anywhere: CreateSession, which turns a certificate into temporary
// credentials, and the control plane around it (trust anchors, profiles, CRLs, subjects, tags, notification settings).
//
// It does not check control-plane signatures or policies (package gate does, before a handler runs) and keeps nothing of
// a session (package sessiontoken). Start with [Service.CreateSession] in createsession.go for the main job, and with
// [Service.Bindings] for the control plane.
package rolesanywhere

import (
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// EventSource names the service in audit events and as the principal that assumes roles.
const EventSource = "rolesanywhere.amazonaws.com"

// Config is what the service works with. All fields but Log are required.
type Config struct {
	DB      *store.DB
	Gate    *gate.Gate
	Sealer  *sessiontoken.Sealer
	Audit   *audit.Log
	Metrics *metrics.Registry
	Log     *slog.Logger // nil discards

	// Revocation asks online sources where a trust anchor wants that; nil refuses sessions of such anchors.
	Revocation *revocation.Checker

	// MaxCachedPaths bounds the certificates whose verified path is remembered; 0 is the default of package certchain.
	MaxCachedPaths int
	// Blocked are keys that no certificate of a path may have; nil for none.
	Blocked *blockedkeys.List
	// Quotas are off where they are zero.
	Quotas Quotas
}

// Quotas bound what one account keeps in one region. Zero means no bound; AWS's own defaults are in the comments.
type Quotas struct {
	TrustAnchors  int // 50
	Profiles      int // 250
	CRLsPerAnchor int // 2

	SessionsPerSecond int // 10; of CreateSession, on each node
}

// refusalsPerSecond bounds the audit records that senders of untrusted certificates can cause on one node. Refusals of
// certificates that chain to an anchor are always recorded.
const refusalsPerSecond = 100

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	cfg      Config
	view     *store.View
	verifier *certchain.Verifier
	requests *requestMemo
	refusals *rate.Limiter
	sessions throttle
}

// AWSQuotas are AWS's defaults.
func AWSQuotas() Quotas {
	return Quotas{TrustAnchors: 50, Profiles: 250, CRLsPerAnchor: 2, SessionsPerSecond: 10}
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg:      cfg,
		view:     cfg.DB.View(),
		verifier: certchain.NewVerifier(cfg.MaxCachedPaths).WithBlocked(cfg.Blocked),
		sessions: throttle{perSecond: cfg.Quotas.SessionsPerSecond},
		requests: newRequestMemo(),
		refusals: rate.NewLimiter(rate.Every(time.Second/refusalsPerSecond), refusalsPerSecond),
	}
}
