// Package acmpca implements the private CA's API: the life cycle of certificate authorities, issuing, revocation and tags.
//
// It signs nothing itself (package authority does), keeps nothing in memory but what is under way, and does not check
// signatures or policies (package gate does, before a handler runs). Not there yet: resource policies, permissions, audit
// reports, OCSP, partitioned lists and lists in S3.
//
// Start with [Service.Bindings]; [Service.Run] is what goes on in the background: making RSA keys and signing revocation
// lists.
package acmpca

import (
	"log/slog"

	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// Config is what the service works with. All fields but Log are required.
type Config struct {
	DB     *store.DB
	Issuer *issuance.Issuer
	Log    *slog.Logger // nil discards
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	cfg  Config
	wake chan struct{} // there may be work for Run
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, wake: make(chan struct{}, 1)}
}

// nudge tells Run to look for work soon. The caller's transaction need not have ended.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
