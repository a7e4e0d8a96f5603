package pcaconnectorad

import (
	"context"
	"errors"
	"sync"
	"time"

	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

// Directories is what the service asks of Active Directory while something is CREATING. An error that wraps none of those
// below is this server's own trouble, an INTERNAL_FAILURE.
type Directories interface {
	// Reach proves that a controller answers, takes the account, and is of the domain that the row describes.
	Reach(ctx context.Context, d *store.Directory) error
	// Principal proves that the policy host's service principal name is on one account.
	Principal(ctx context.Context, d *store.Directory) error
	// Register publishes the CA of the directory's connector where members look, as far as the account was given the right to.
	Register(ctx context.Context, d *store.Directory) error
}

// What [Directories] fails with.
var (
	ErrNotReachable       = errors.New("the directory cannot be reached")
	ErrAccessDenied       = errors.New("the directory refuses the account")
	ErrNotSupported       = errors.New("what answers is not the domain")
	ErrPrincipalElsewhere = errors.New("the service principal name is on several accounts")
	ErrNotRegistered      = errors.New("the CA could not be published in the directory")
)

// Bounds of asking: how long one question may take, and how many are open at a time.
const (
	askTime  = 20 * time.Second
	askLimit = 64
)

// errNotAsked is the answer to a question that was not put. What needs one is looked at again.
var errNotAsked = errors.New("the directory was not asked")

// question is what has to be known of a directory before a row is finished.
type question struct {
	what   string // for the log
	about  func(Directories, context.Context, *store.Directory) error
	read   func(*store.Tx) (*store.Directory, error) // any error: nothing is asked
	finish func(tx *store.Tx, answer error) error
}

// asking are the questions that are open.
type asking struct {
	sync.WaitGroup
	mu   sync.Mutex // guards open
	open map[string]bool
}

// begin is false for a question that is open already, and if too many are.
func (a *asking) begin(what string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = map[string]bool{}
	}
	if a.open[what] || len(a.open) >= askLimit {
		return false
	}
	a.open[what] = true
	return true
}

func (a *asking) end(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, what)
}

// ask puts questions beside each other and outside of transactions: a controller that is not there takes seconds.
func (s *Service) ask(ctx context.Context, list []*question) {
	for _, q := range list {
		if !s.questions.begin(q.what) {
			continue
		}
		s.questions.Go(func() {
			defer s.questions.end(q.what)
			answer := s.answer(ctx, q)
			if ctx.Err() != nil {
				return // cut off, which is no answer
			}
			err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return q.finish(tx, answer) })
			switch {
			case err == nil && !errors.Is(answer, errNotAsked):
				s.worker.Nudge() // for what waited for this one
			case err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, errNotAsked):
				s.cfg.Log.Warn("work for connectors failed and will be tried again", "error", err)
			}
		})
	}
}

func (s *Service) answer(ctx context.Context, q *question) error {
	if s.cfg.Directories == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var d *store.Directory
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) { d, err = q.read(tx); return err })
	if err != nil {
		return errNotAsked
	}
	if err = q.about(s.cfg.Directories, ctx, d); err != nil { // the API has a word for it, and no more
		s.cfg.Log.Warn(q.what+" fails", "error", err)
	}
	return err
}

func registrationReason(err error) ad.DirectoryRegistrationStatusReason {
	switch {
	case errors.Is(err, ErrAccessDenied):
		return ad.DirectoryRegistrationStatusReasonDirectoryAccessDenied
	case errors.Is(err, ErrNotSupported):
		return ad.DirectoryRegistrationStatusReasonDirectoryTypeNotSupported
	case errors.Is(err, ErrNotReachable):
		return ad.DirectoryRegistrationStatusReasonDirectoryNotReachable
	}
	return ad.DirectoryRegistrationStatusReasonInternalFailure
}

// connectorReason: the model has no word for a directory that does not answer; what then fails is the CA's registration.
func connectorReason(err error) ad.ConnectorStatusReason {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrAccessDenied):
		return ad.ConnectorStatusReasonDirectoryAccessDenied
	case errors.Is(err, ErrNotRegistered), errors.Is(err, ErrNotReachable), errors.Is(err, ErrNotSupported):
		return ad.ConnectorStatusReasonCaCertificateRegistrationFailed
	}
	return ad.ConnectorStatusReasonInternalFailure
}

// principalReason: a name that no account has would have to be written, which this server never does.
func principalReason(err error) ad.ServicePrincipalNameStatusReason {
	switch {
	case errors.Is(err, ErrAccessDenied):
		return ad.ServicePrincipalNameStatusReasonDirectoryAccessDenied
	case errors.Is(err, ErrPrincipalElsewhere):
		return ad.ServicePrincipalNameStatusReasonSpnExistsOnDifferentAdObject
	case errors.Is(err, ErrNotReachable), errors.Is(err, ErrNotSupported):
		return ad.ServicePrincipalNameStatusReasonDirectoryNotReachable
	}
	return ad.ServicePrincipalNameStatusReasonInternalFailure
}
