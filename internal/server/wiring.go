package server

import (
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/service/acmpca"
	"github.com/rolecall/rolecall/internal/service/cloudtrail"
	"github.com/rolecall/rolecall/internal/service/iam"
	"github.com/rolecall/rolecall/internal/service/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/service/rolesanywhere"
	"github.com/rolecall/rolecall/internal/service/sts"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// register binds every service's operations to the router.
func (s *Server) register(router *awsapi.Router, guard *gate.Gate, sealer *sessiontoken.Sealer) error {
	var sessions rolesanywhere.Quotas
	var identities iam.Quotas
	if s.cfg.Quotas == "aws" {
		sessions, identities = rolesanywhere.AWSQuotas(), iam.AWSQuotas()
	}
	s.anywhere = rolesanywhere.New(rolesanywhere.Config{DB: s.db, Gate: guard, Sealer: sealer, Audit: s.audit, Metrics: s.metrics, Log: s.log, Quotas: sessions})
	s.privateCA = acmpca.New(acmpca.Config{DB: s.db, Issuer: issuance.New(authority.SealedKeys{Ring: s.ring}), Log: s.log})
	s.connectors = pcaconnectorad.New(pcaconnectorad.Config{DB: s.db, Log: s.log})
	router.HandleRaw("rolesanywhere", "POST", "/sessions", s.anywhere.CreateSession)
	for _, bindings := range [][]awsapi.Binding{
		s.anywhere.Bindings(),
		s.privateCA.Bindings(),
		s.connectors.Bindings(),
		iam.New(iam.Config{Ring: s.ring, Quotas: identities}).Bindings(),
		sts.New(sts.Config{View: s.db.View(), Gate: guard, Sealer: sealer}).Bindings(),
		cloudtrail.New(cloudtrail.Config{}).Bindings(),
	} {
		if err := router.Register(bindings...); err != nil {
			return err
		}
		s.bindings = append(s.bindings, bindings...)
	}
	return nil
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
	return s.metrics.Counter(metrics.SubsystemStore, "retries_total", "Transactions run again after a conflict.", func() float64 { return float64(s.db.Retries()) })
}
