package awsapi

import (
	"context"
	"log/slog"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
)

// Transactor runs transactions; *store.DB is one. Update may run fn more than once; what the last run did is durable
// once Update returns nil, and nothing is kept otherwise.
type Transactor interface {
	Update(ctx context.Context, fn func(*Tx) error) error
	Read(ctx context.Context, fn func(*Tx) error) error
	// Join is Update for small mutations, which share a transaction and fail each on its own.
	Join(ctx context.Context, fn func(*Tx) error) error
}

// Auditor adds one event to the audit trail; *audit.Log is one. The event is durable once Append returns nil; one that
// Note takes is durable shortly after. Either fails when the trail takes no events.
type Auditor interface {
	Append(ctx context.Context, e *audit.Event, s *audit.SubjectSeen) error
	Note(ctx context.Context, e *audit.Event) error
}

// Meter counts requests; *metrics.Registry is one. All three labels come from bounded sets; code is metrics.CodeOK for
// a success.
type Meter interface {
	Request(service, operation, code string, took time.Duration)
}

// Config is what a Router needs. Gate, DB and Audit are required.
type Config struct {
	Gate    Gate
	DB      Transactor
	Audit   Auditor
	Metrics Meter            // nil counts nothing
	Log     *slog.Logger     // nil discards
	Clock   func() time.Time // nil is time.Now
	MaxBody int64            // of a request, in bytes; 0 is DefaultMaxBody

	HomePartition string // of IAM and STS identities; "" is aws

	// OutOfScope tells of an operation that nothing binds ("iam:CreateLoginProfile") whether it is not meant to be served
	// at all, so that the answer can say so. nil is never.
	OutOfScope func(action string) bool
	HomeRegion arn.Region // where unsigned calls are recorded; "" is us-east-1
}

// DefaultMaxBody fits the largest modelled input, a CRL of 300,000 bytes in base64, twice over.
const DefaultMaxBody = 1 << 20

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.HomePartition == "" {
		c.HomePartition = "aws"
	}
	if c.OutOfScope == nil {
		c.OutOfScope = func(string) bool { return false }
	}
	if c.HomeRegion == "" {
		c.HomeRegion = "us-east-1"
	}
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	return c
}
