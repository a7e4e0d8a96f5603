// Package adclient is the client of Active Directory enrollment, as Windows has it built in: it asks a policy server which
// certificates its user or machine may have (MS-XCEP), makes keys, has certificates issued (MS-WSTEP) and renews them in
// time. It works with rolecall's own endpoints and with AD CS's.
//
// It stores keys in files only, waits for no approval by a person, and trusts no server that does not prove itself: TLS is
// verified always, and with Kerberos the server must answer with a key that only it has.
//
// Start with [Client.Policies] and [Enrollment.Run]; helper.go speaks with certmonger.
package adclient

import (
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// Refused is a server's fault: asking again for the same is of no use.
type Refused struct {
	Reason string
	Code   hresult.Code // 0 if the fault has none
}

func (e *Refused) Error() string { return "the server refuses: " + e.Reason }

// Unreachable is a server that could not be asked or did not answer sensibly; it may later.
type Unreachable struct{ err error }

func (e *Unreachable) Error() string { return e.err.Error() }
func (e *Unreachable) Unwrap() error { return e.err }

func unreachable(format string, args ...any) error {
	return &Unreachable{fmt.Errorf(format, args...)}
}

// Pending is a request that a person has to approve.
type Pending struct {
	RequestID string
	URI       string // whom to ask
}

func (e *Pending) Error() string {
	return fmt.Sprintf("request %s waits for somebody's approval", e.RequestID)
}

// ErrNoTemplate means that the policies have no template of a name for this caller.
var ErrNoTemplate = errors.New("no such template for this account")
