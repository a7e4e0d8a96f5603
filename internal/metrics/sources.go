package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Subsystem is the part of the server that a gauge or counter belongs to.
type Subsystem string

const (
	SubsystemCache      Subsystem = "cache"
	SubsystemAudit      Subsystem = "audit"
	SubsystemStore      Subsystem = "store"
	SubsystemSession    Subsystem = "session"
	SubsystemPrivateCA  Subsystem = "private_ca"
	SubsystemRevocation Subsystem = "revocation"
)

// Gauge shows what read returns at the time of a scrape, as rolecall_SUBSYSTEM_NAME. It fails when the name is taken or no metric
// name. read must be quick and safe for concurrent use.
func (r *Registry) Gauge(sub Subsystem, name, help string, read func() float64) error {
	return r.register(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Namespace: namespace, Subsystem: string(sub), Name: name, Help: help}, read), sub, name)
}

// Counter is like Gauge for a value that only grows while the process lives.
func (r *Registry) Counter(sub Subsystem, name, help string, read func() float64) error {
	return r.register(prometheus.NewCounterFunc(
		prometheus.CounterOpts{Namespace: namespace, Subsystem: string(sub), Name: name, Help: help}, read), sub, name)
}

func (r *Registry) register(c prometheus.Collector, sub Subsystem, name string) error {
	// Prometheus would take any UTF-8 here; dashboards and rules want plain names.
	if name == "" || !plainName(name) {
		return fmt.Errorf("metrics: %q is no metric name", name)
	}
	if err := r.reg.Register(c); err != nil {
		return fmt.Errorf("metrics: %s_%s: %w", sub, name, err)
	}
	return nil
}

func plainName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
