// Package kerberos says who sends an HTTP request with "Authorization: Negotiate": it accepts SPNEGO and Kerberos tokens
// with the keytab of a service account in Active Directory, and takes the security identifiers from the ticket's PAC.
//
// It asks no directory and no KDC, and decides nothing: what a caller may do follows from the SIDs, never from a name, as
// names can be changed, reused and spelled in several ways. NTLM is refused. Start with [New] and [Acceptor.Accept]; the
// other side is in the package initiate.
package kerberos

import (
	"crypto/x509"
	"fmt"
	"time"
)

// ChannelBinding says what becomes of the TLS channel a client bound its token to (RFC 5929, tls-server-end-point). IIS calls
// it Extended Protection. Binding keeps a token that was lured to another server from being relayed to this one.
type ChannelBinding int

const (
	// Allow takes tokens without a binding; one that is there must be right. A client that says it knows bindings
	// (MS-KILE 3.2.5.8, KERB_AP_OPTIONS_CBT) and sends none is refused.
	Allow ChannelBinding = iota
	// Off ignores bindings: for a TLS-terminating proxy in front of the server.
	Off
	// Require refuses tokens without a binding. curl sends none; Windows and cepces do.
	Require
)

// Config is what an [Acceptor] works by. Keytab is required, the rest has defaults.
type Config struct {
	// Keytab is a keytab file's contents: the service account's keys for its HTTP principals, at most 1 MiB.
	Keytab []byte
	// Services are the principals tickets may be for, as HTTP/host or HTTP/host@REALM, compared without case as AD does.
	// Default: every principal HTTP/… of the keytab. A ticket for another service of the same account is refused.
	Services []string
	// ChannelBinding defaults to Allow.
	ChannelBinding ChannelBinding
	// AllowRC4 also takes tickets and session keys of type rc4-hmac, which can be broken offline.
	AllowRC4 bool
	// MaxSkew is how far a client's clock may be off, 1 s to 1 h. Default: 5 minutes, as in AD.
	MaxSkew time.Duration
	// Clock defaults to time.Now.
	Clock func() time.Time
}

// Identity is a caller whose ticket, authenticator and PAC were verified.
type Identity struct {
	// UserSID is the account's security identifier: the one key to authorize and look up by.
	UserSID string
	// Groups are the SIDs that the caller has besides: global, universal, domain-local and foreign groups as of the time the
	// ticket was issued (up to ten hours ago), and Everyone (S-1-1-0), Authenticated Users (S-1-5-11) and Users
	// (S-1-5-32-545), which no PAC lists. Sorted, each once. Ask the directory for fresh ones before issuing.
	Groups []string
	// AccountName is the sAMAccountName as in the PAC ("alice", "WS2$"), for audit only.
	AccountName string
	// Realm is the client's Kerberos realm, for audit only.
	Realm string
	// UPN is the user principal name in the PAC, which the KDC makes up if the account has none; may be empty.
	UPN string
	// AuthTime is when the user logged on at the KDC, EndTime when the ticket ends.
	AuthTime, EndTime time.Time
	// Computer reports a machine account, domain controllers and managed service accounts among them.
	Computer bool
	// ChannelBound reports that the token was bound to the TLS channel and that the binding was verified.
	ChannelBound bool
}

// Reason is why a token was refused: a bounded set, for audit and metrics.
type Reason string

// The reasons. A client learns none of them.
const (
	ReasonHeader         Reason = "header"          // no Negotiate header, or not base64, or too long
	ReasonToken          Reason = "token"           // no well-formed SPNEGO or Kerberos token
	ReasonMechanism      Reason = "mechanism"       // NTLM, or no Kerberos among the mechanisms
	ReasonService        Reason = "service"         // the ticket is for another service
	ReasonNoKey          Reason = "no_key"          // the keytab lacks the key's version or type
	ReasonEncryption     Reason = "encryption"      // an encryption type that is not allowed
	ReasonIntegrity      Reason = "integrity"       // a key of ours or the ticket's does not fit
	ReasonNotYetValid    Reason = "not_yet_valid"   // the ticket starts in the future
	ReasonExpired        Reason = "expired"         // the ticket has ended
	ReasonSkew           Reason = "skew"            // the clocks differ by more than MaxSkew
	ReasonReplay         Reason = "replay"          // this token was here before
	ReasonReplayFull     Reason = "replay_full"     // too many tokens at once to tell replays apart
	ReasonChannelBinding Reason = "channel_binding" // absent, or of another TLS channel
	ReasonNoPAC          Reason = "no_pac"          // no authorization data of AD in the ticket
	ReasonPAC            Reason = "pac"             // its checksum or its contents are wrong
	ReasonAccount        Reason = "account"         // disabled, or a guest
	ReasonInternal       Reason = "internal"        // a fault of the server's
)

// Error is why a token was refused. Its text is for the server's log and audit; a client gets a 401 with
// "WWW-Authenticate: Negotiate" and nothing else.
type Error struct {
	Reason Reason
	// Detail says what was found, without secrets.
	Detail string
	// Err is the cause, if a library reported one.
	Err error
}

func (e *Error) Error() string {
	s := "Kerberos token refused: " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

func refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

func because(r Reason, err error, detail string) error {
	return &Error{Reason: r, Detail: detail, Err: err}
}

// Accept verifies the value of an Authorization header and returns who sent it and the value for WWW-Authenticate of the
// answer, which proves the server to the client. serverLeaf is the certificate the TLS connection was served with; nil means
// that the binding cannot be checked, which fails unless ChannelBinding is Off or the client bound nothing under Allow.
//
// A refusal is an [*Error]; the answer to it is a 401 with WWW-Authenticate: Negotiate, whatever the reason. A header can be
// accepted once: the connection must not reuse it. Safe for concurrent use.
func (a *Acceptor) Accept(header string, serverLeaf *x509.Certificate) (id *Identity, reply string, err error) {
	defer func() {
		if p := recover(); p != nil { // the Kerberos library indexes into what it was sent
			id, reply, err = nil, "", refuse(ReasonInternal, "panic: %v", p)
		}
	}()
	return a.accept(header, serverLeaf)
}
