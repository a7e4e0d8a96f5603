package server

import (
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/bucket"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/revocation"
	"github.com/rolecall/rolecall/internal/service/acmpca"
	"github.com/rolecall/rolecall/internal/service/cloudtrail"
	"github.com/rolecall/rolecall/internal/service/iam"
	"github.com/rolecall/rolecall/internal/service/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/service/rolesanywhere"
	"github.com/rolecall/rolecall/internal/service/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/webissuer"
)

// register binds every service's operations to the router.
func (s *Server) register(router *awsapi.Router, guard *gate.Gate, sealer *sessiontoken.Sealer) error {
	var sessions rolesanywhere.Quotas
	var identities iam.Quotas
	if s.cfg.Quotas == "aws" {
		sessions, identities = rolesanywhere.AWSQuotas(), iam.AWSQuotas()
	}
	allow, err := revocation.ParseAllow(s.cfg.RevocationFetchAllow)
	if err != nil {
		return err
	}
	s.revocation = revocation.NewChecker(revocation.Config{DB: s.db, Allow: allow, Refresh: s.cfg.RevocationRefresh, Log: s.log})
	s.anywhere = rolesanywhere.New(rolesanywhere.Config{
		DB: s.db, Gate: guard, Sealer: sealer, Audit: s.audit, Metrics: s.metrics, Log: s.log, Revocation: s.revocation, Blocked: s.blocked, Quotas: sessions,
	})
	ca, err := s.privateCAConfig()
	if err != nil {
		return err
	}
	s.issuance = ca.Issuer
	s.privateCA = acmpca.New(ca)
	s.connectors = pcaconnectorad.New(pcaconnectorad.Config{DB: s.db, Directories: directories{s.db, s.ring}, Log: s.log})
	s.issuer = webissuer.New(webissuer.Config{DB: s.db, Ring: s.ring, Log: s.log, Base: s.issuerBase})
	verifier, err := s.webVerifier()
	if err != nil {
		return err
	}
	router.HandleRaw("rolesanywhere", "POST", "/sessions", s.anywhere.CreateSession)
	for _, bindings := range [][]awsapi.Binding{
		s.anywhere.Bindings(),
		s.privateCA.Bindings(),
		s.connectors.Bindings(),
		iam.New(iam.Config{Ring: s.ring, Quotas: identities, Issuer: s.issuer.URL}).Bindings(),
		sts.New(sts.Config{DB: s.db, View: s.db.View(), Gate: guard, Sealer: sealer, Verifier: verifier, Issuer: s.issuer}).Bindings(),
		cloudtrail.New(cloudtrail.Config{}).Bindings(),
	} {
		if err := router.Register(bindings...); err != nil {
			return err
		}
		s.bindings = append(s.bindings, bindings...)
	}
	return nil
}

// privateCAConfig is what the private CA works with; buckets only if there is an S3 endpoint.
func (s *Server) privateCAConfig() (acmpca.Config, error) {
	keys, closer, err := s.cfg.caKeys(s.ring)
	if err != nil {
		return acmpca.Config{}, err
	}
	s.onClose(closer)
	cfg := acmpca.Config{
		DB: s.db, Issuer: issuance.New(keys).WithBlocked(s.blocked), Responders: authority.Responders{Ring: s.ring},
		Audit: s.audit, TempDir: s.cfg.DataDir, Log: s.log,
	}
	if s.cfg.S3Endpoint == "" {
		return cfg, nil
	}
	cfg.Buckets, err = bucket.New(bucket.Config{
		Endpoint: s.cfg.S3Endpoint, Region: s.cfg.S3Region, Credentials: s.cfg.S3Credentials, Profile: s.cfg.S3Profile, CABundle: s.cfg.S3CABundle,
	})
	if err == nil {
		cfg.Issuer = cfg.Issuer.WithBuckets(cfg.Buckets.URL())
	}
	return cfg, err
}

// gauges shows what the parts already count.
func (s *Server) gauges(sealer *sessiontoken.Sealer) error {
	for _, g := range []struct {
		sub        metrics.Subsystem
		name, help string
		read       func() float64
	}{
		{metrics.SubsystemSession, "opened_tokens", "Session tokens remembered in opened form.", func() float64 { return float64(sealer.Cached()) }},
		{metrics.SubsystemAudit, "backlog_bytes", "Bytes of the local audit log that are on disk.", func() float64 { return float64(s.audit.Stats().Backlog) }},
		{metrics.SubsystemAudit, "lag_seconds", "How long there has been something to ship into the store.", func() float64 { return s.shipper.Stats().Lag.Seconds() }},
	} {
		if err := s.metrics.Gauge(g.sub, g.name, g.help, g.read); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		sub        metrics.Subsystem
		name, help string
		read       func() int64
	}{
		{metrics.SubsystemRevocation, "crl_failures_total", "CRLs of trust anchors' CAs that could not be fetched or used.", func() int64 { return s.revocation.Failures(revocation.CRL) }},
		{metrics.SubsystemRevocation, "ocsp_failures_total", "OCSP questions that got no usable answer.", func() int64 { return s.revocation.Failures(revocation.OCSP) }},
		{metrics.SubsystemPrivateCA, "crl_generated_total", "Revocation lists of private CAs that were published (AWS: CRLGenerated).", func() int64 { n, _ := s.privateCA.Stats(); return n }},
		{metrics.SubsystemPrivateCA, "misconfigured_crl_bucket_total", "Revocation lists that their bucket did not take (AWS: MisconfiguredCRLBucket).", func() int64 { _, n := s.privateCA.Stats(); return n }},
	} {
		if err := s.metrics.Counter(c.sub, c.name, c.help, func() float64 { return float64(c.read()) }); err != nil {
			return err
		}
	}
	return s.metrics.Counter(metrics.SubsystemStore, "retries_total", "Transactions run again after a conflict.", func() float64 { return float64(s.db.Retries()) })
}
