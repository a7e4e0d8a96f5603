// Package pcaconnectorad implements Connector for AD's API: directory registrations, connectors between a directory and a
// private CA, their service principal names, certificate templates, and who may enroll with them.
//
// It issues nothing: package enroll serves the clients, from the same rows. Directories themselves are the operator's to
// make (rolecalld ad directory); what is built upon one becomes ACTIVE when the domain was asked ([Directories]), and FAILED
// with the reason otherwise. Creating it again is the way out. Signatures and policies are package gate's.
//
// Where AWS leaves something open this package decides: a directory has one connector, as all connectors of a directory
// would share one enrollment policy URL; deleting a connector deletes its service principal name, its templates and
// their access entries; a directory is deregistered only when no connector uses it; deleting a registration or a service
// principal name that is not there succeeds, since the model has no error for it.
//
// Start with [Service.Bindings]; [Service.Run] finishes in the background what is CREATING or DELETING.
package pcaconnectorad

import (
	"log/slog"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/worker"
)

// Config is what the service works with. DB is required.
type Config struct {
	DB          *store.DB
	Directories Directories  // nil asks no domain
	Log         *slog.Logger // nil discards
}

// Service implements the operations. It is safe for concurrent use.
type Service struct {
	cfg       Config
	worker    *worker.Worker
	questions asking
}

// New makes the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, worker: worker.New()}
}

// States of connectors, registrations, service principal names and (two of them) templates.
const (
	creating = "CREATING"
	active   = "ACTIVE"
	deleting = "DELETING"
	failed   = "FAILED"
)

// Quotas, which also bound what an enrollment host keeps in memory for a connector.
const (
	maxTemplates = 200 // of a connector
	maxEntries   = 200 // of a template
)
