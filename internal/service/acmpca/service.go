// Package acmpca implements the private CA's API: the life cycle of certificate authorities, issuing, revocation and tags.
//
// It signs nothing itself (package authority does), keeps nothing in memory but what is under way, and does not check
// signatures or policies (package gate does, before a handler runs).
//
// Start with [Service.Bindings]; [Service.Run] is what goes on in the background: RSA keys, revocation lists, OCSP responders,
// audit reports. [Service.ServeCRL], [Service.ServeOCSP] and [Service.ServeCertificate] are what anybody may fetch.
package acmpca

import (
	"log/slog"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/bucket"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/worker"
)

// Config is what the service works with. All fields but Buckets, TempDir and Log are required.
type Config struct {
	DB         *store.DB
	Issuer     *issuance.Issuer
	Responders authority.Responders
	Audit      *audit.Log
	Buckets    *bucket.Client // nil: no S3 endpoint is configured
	TempDir    string         // for lists and reports on their way; "" is the system's
	Log        *slog.Logger   // nil discards
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	cfg    Config
	worker *worker.Worker
	ocsp   *ocspCache
	misses misses

	generated, misconfigured atomic.Int64 // lists published, and lists that a bucket did not take
}

// Stats counts since the start what CloudWatch calls CRLGenerated and MisconfiguredCRLBucket.
func (s *Service) Stats() (generated, misconfigured int64) {
	return s.generated.Load(), s.misconfigured.Load()
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, worker: worker.New(), ocsp: newOCSPCache()}
}
