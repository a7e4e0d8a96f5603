// Package server assembles rolecalld: data folder, key ring, store, audit log, services, listeners, and their orderly
// end. It decides nothing about requests. Start with [Run], or [Start] for a server inside another program.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/enroll/est"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/service/acmpca"
	"github.com/rolecall/rolecall/internal/service/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/service/rolesanywhere"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/tlsca"
	"github.com/rolecall/rolecall/internal/webissuer"
)

// Output is where a server writes. Nil writers discard.
type Output struct {
	Out io.Writer // what a person reads at the start
	Log io.Writer // the running log
}

// Server is a running rolecalld.
type Server struct {
	cfg      Config
	out      io.Writer
	log      *slog.Logger
	account  arn.AccountID
	endpoint string

	operationsAddr    string   // metrics, health and profiling; "" for none
	distributionAddrs []string // lists, OCSP and CA certificates
	authorization     string   // where proxies ask

	ring    *keyring.Ring
	db      *store.DB
	audit   *audit.Log
	shipper *audit.Shipper
	metrics *metrics.Registry
	health  *metrics.Health
	blocked *blockedkeys.List // nil without files
	guard   *gate.Gate
	handler http.Handler
	// publicHandler serves revocation lists, OCSP and CA certificates and nothing else.
	publicHandler http.Handler

	anywhere   *rolesanywhere.Service
	revocation *revocation.Checker
	privateCA  *acmpca.Service
	connectors *pcaconnectorad.Service
	issuer     *webissuer.Issuer
	est        *est.Handler
	issuance   *issuance.Issuer // knows the buckets of revocation lists
	bindings   []awsapi.Binding // all operations, for the coverage table

	reloader *tlsca.Reloader // of the TLS certificate; nil without TLS
	servers  []*http.Server
	failed   chan error         // a listener that ended by itself
	stop     context.CancelFunc // ends the background work
	working  sync.WaitGroup
	closers  []func() error // in order of opening
	shutdown sync.Once
	ended    error
}

// Run serves until ctx ends, then drains. It returns nil after an orderly end.
func Run(ctx context.Context, cfg Config, out Output) error {
	s, err := Start(ctx, cfg, out)
	if err != nil {
		return err
	}
	s.trimmer().trim(ctx) // what the start needed is not needed again
	select {
	case <-ctx.Done():
		s.log.Info("draining", "timeout", s.cfg.DrainTimeout)
		return s.Shutdown()
	case err := <-s.failed:
		return errors.Join(err, s.Shutdown())
	}
}

// Start brings a server up and returns once it answers. ctx bounds the start, not the server's life: end it with
// [Server.Shutdown].
func Start(ctx context.Context, cfg Config, out Output) (*Server, error) {
	if err := cfg.normalise(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, out: out.Out, log: newLogger(cfg.LogFormat, out.Log), failed: make(chan error, 8), health: &metrics.Health{}, metrics: metrics.New()}
	if s.out == nil {
		s.out = io.Discard
	}
	s.health.Logger = s.log
	var err error
	if s.blocked, err = blockedkeys.Open(cfg.BlockedKeys); err != nil { // before anything is written to disk
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func newLogger(format string, w io.Writer) *slog.Logger {
	switch {
	case w == nil:
		return slog.New(slog.DiscardHandler)
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// onClose registers what undoes a step of opening. The steps are undone in reverse.
func (s *Server) onClose(fn func() error) { s.closers = append(s.closers, fn) }

// open brings everything up in the order in which it depends on each other.
func (s *Server) open(ctx context.Context) error {
	background, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	created, err := s.openData(ctx)
	if err != nil {
		return err
	}
	err = s.serveAll(background)
	if created {
		s.printFirstStart() // also where the start fails after all: the next one is not the first any more
	}
	if err != nil {
		return err
	}
	s.health.Started()
	fmt.Fprintf(s.out, "rolecalld: ready on %s (account %s, data folder %s)\n", s.endpoint, s.account, s.cfg.DataDir)
	return nil
}

// serveAll brings up what stands on the data.
func (s *Server) serveAll(background context.Context) error {
	if err := s.openAudit(background); err != nil {
		return err
	}
	if err := s.assemble(background); err != nil {
		return err
	}
	if err := s.serveS3IAM(background); err != nil {
		return err
	}
	if err := s.serveAuthorization(); err != nil {
		return err
	}
	return s.listen(background)
}

// openData opens folder, lock, key ring and store. created says that this was the first start.
func (s *Server) openData(ctx context.Context) (created bool, err error) {
	cleanup, err := s.cfg.prepareDataDir()
	if err != nil {
		return false, err
	}
	s.onClose(func() error { cleanup(); return nil })
	lock, err := lockDataDir(s.cfg.DataDir)
	if err != nil {
		return false, err
	}
	s.onClose(lock.Close)
	newRing := false
	if s.cfg.Store == "memory" {
		s.ring = keyring.Ephemeral()
	} else if s.ring, newRing, err = openRing(s.cfg.DataDir); err != nil {
		return false, err
	}
	if s.db, err = store.Open(ctx, store.Config{Source: s.cfg.storeSource(), Staleness: s.cfg.Staleness, Partition: s.cfg.partition()}); err != nil {
		return false, err
	}
	s.onClose(s.db.Close)
	s.account, created, err = firstStart(ctx, s.db, s.ring, &s.cfg)
	if newRing && errors.Is(err, errForeignRing) {
		err = errors.Join(err, os.Remove(filepath.Join(s.cfg.DataDir, KeyRingFile))) // it has sealed nothing
	}
	return created, err
}

func (s *Server) openAudit(background context.Context) (err error) {
	opts := audit.Options{Logger: s.log}
	if s.cfg.Store == "memory" {
		s.audit, err = audit.NewMemoryLog(opts)
	} else {
		s.audit, err = audit.OpenLog(filepath.Join(s.cfg.DataDir, "audit"), opts)
	}
	if err != nil {
		return err
	}
	s.onClose(s.audit.Close)
	if s.shipper, err = audit.NewShipper(audit.ShipperConfig{Log: s.audit, Sink: audit.StoreSink{DB: s.db}, Logger: s.log}); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(background)
	shipping := make(chan struct{})
	go func() {
		defer close(shipping)
		s.shipper.Run(ctx) //nolint:errcheck // Run returns only ctx's error
	}()
	s.onClose(func() error {
		stop()
		<-shipping
		final, cancel := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
		defer cancel()
		if err := s.shipper.Flush(final); err != nil {
			s.log.Warn("audit records stay in the local log until the next start", "error", err)
		}
		return s.shipper.Close(final)
	})
	return nil
}

// assemble builds the services on one router.
func (s *Server) assemble(background context.Context) error {
	sealer := sessiontoken.New(s.ring)
	guard := gate.New(gate.Config{View: s.db.View(), Ring: s.ring, Sealer: sealer, Partition: s.cfg.partition()})
	s.guard = guard
	router := awsapi.NewRouter(awsapi.Config{Gate: guard, DB: s.db, Audit: s.audit, Metrics: s.metrics, Log: s.log, HomePartition: guard.Partition(), HomeRegion: arn.Region(s.cfg.Region), OutOfScope: outOfScope})
	if err := s.register(router, guard, sealer); err != nil {
		return err
	}
	s.est = est.New(est.Config{DB: s.db, Issuer: s.issuance, Ring: s.ring, Audit: s.audit, Log: s.log})
	s.handler = withEnrollment(withUnsigned(s.unsignedRoutes(), router), s.openEnrollment(), s.est)
	s.publicHandler = withUnsigned(s.distributionRoutes(), http.NotFoundHandler())
	s.work(func() { s.privateCA.Run(background) })
	s.work(func() { s.connectors.Run(background) })
	s.work(func() { s.issuer.Run(background) })
	s.work(func() { s.maintain(background) })
	s.work(func() { s.revocation.Run(background) })
	s.followBlocked(background)
	s.work(func() { s.trimmer().run(background, trimInterval) })
	s.work(func() { s.ring.Watch(background, time.Second, s.logRingChange) })
	// The checks share a deadline: the one that may wait comes last.
	s.health.Add("freshness", func(context.Context) error { return s.db.Fresh(time.Now()) })
	s.health.Add("audit-log", func(context.Context) error { return s.audit.Err() })
	s.health.Add("store", s.db.Ping)
	return s.gauges(sealer)
}

func (s *Server) logRingChange(err error) {
	if err != nil {
		s.log.Error("the key ring file cannot be read; the keys in use stay", "error", err)
		return
	}
	s.log.Info("key ring reloaded", "keys", len(s.ring.Keys()))
}

// work runs fn in the background until shutdown.
func (s *Server) work(fn func()) {
	s.working.Go(fn)
}

// Endpoint is the URL of the first listener.
func (s *Server) Endpoint() string { return s.endpoint }

// DistributionAddrs are the addresses that serve lists, OCSP and CA certificates alone, in the order of the configuration.
func (s *Server) DistributionAddrs() []string { return s.distributionAddrs }

// Account is the first account.
func (s *Server) Account() arn.AccountID { return s.account }

// Shutdown stops accepting, finishes running requests, ships what the audit log holds and closes everything. It may be
// called more than once.
func (s *Server) Shutdown() error {
	s.shutdown.Do(func() {
		s.health.Drain()
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
		defer cancel()
		var errs []error
		for _, srv := range s.servers {
			if err := srv.Shutdown(ctx); err != nil {
				errs = append(errs, fmt.Errorf("requests were still running after %s: %w", s.cfg.DrainTimeout, err), srv.Close())
			}
		}
		s.ended = errors.Join(append(errs, s.close())...)
	})
	return s.ended
}

// close undoes open, as far as it came.
func (s *Server) close() error {
	if s.stop != nil {
		s.stop()
	}
	for _, srv := range s.servers {
		srv.Close()
	}
	s.working.Wait()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *Server) printFirstStart() {
	fmt.Fprintf(s.out, "rolecalld: first start, account %s\n", s.account)
	for _, f := range []struct{ name, what string }{
		{rootCredentialsFile, "root access key (AWS credentials file, profile default)"},
		{"tls-ca.pem", "what clients trust: AWS_CA_BUNDLE"},
		{KeyRingFile, "key ring: back it up, nothing opens without it"},
	} {
		path := filepath.Join(s.cfg.DataDir, f.name)
		if _, err := os.Stat(path); err == nil {
			fmt.Fprintf(s.out, "  %-48s %s\n", path, f.what)
		}
	}
}
