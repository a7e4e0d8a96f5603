package credclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Error is a problem that is not the server's answer: configuration, connection, a malformed response.
type Error struct {
	Problem string // lower case, no full stop
	Advice  string // may be empty
	Cause   error  // may be nil
}

func (e *Error) Error() string { return e.Problem }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint is what the user can do, or "".
func (e *Error) Hint() string { return e.Advice }

func problemf(advice, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Problem: err.Error(), Advice: advice, Cause: errors.Unwrap(err)}
}

// ServiceError is the server's refusal.
type ServiceError struct {
	Status    int    // HTTP
	Code      string // such as AccessDeniedException; UnknownError if the server gave none
	Message   string // may be empty
	RequestID string // may be empty

	// Skew is the local clock minus the server's, exact to about a second. It means nothing without HasSkew.
	Skew    time.Duration
	HasSkew bool // the answer had a Date header
}

func (e *ServiceError) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	fmt.Fprintf(&b, " (HTTP status %d", e.Status)
	if e.RequestID != "" {
		b.WriteString(", request id " + e.RequestID)
	}
	b.WriteString(")")
	return b.String()
}

// skewWorthTelling is the offset from which on a clock is named as a suspect. Servers refuse from five minutes on.
const skewWorthTelling = time.Minute

// Hint explains the messages that Roles Anywhere is known to give.
func (e *ServiceError) Hint() string {
	clock := ""
	if e.Skew.Abs() >= skewWorthTelling {
		clock = fmt.Sprintf("the local clock is %s the server's: set the clock", describeSkew(e.Skew))
	}
	switch m := strings.ToLower(e.Message); {
	case strings.Contains(m, "untrusted signing certificate"):
		return "pass --intermediates with the certificates between this one and the trust anchor's, and check that --trust-anchor-arn names the anchor of the CA that issued it"
	case strings.Contains(m, "insufficient certificate"):
		return "the certificate must be an end-entity certificate (CA:FALSE) with the key usage digitalSignature and, if it has an extended key usage, clientAuth"
	case strings.Contains(m, "invalid signature"), strings.Contains(m, "signature expired"), strings.Contains(m, "signature not yet current"):
		if clock != "" {
			return clock
		}
		if e.HasSkew {
			return fmt.Sprintf("the clock is right (%s the server's), so check that --region is the trust anchor's and that no proxy changes the request", describeSkew(e.Skew))
		}
		return "check the clock, that --region is the trust anchor's, and that no proxy changes the request"
	case clock != "":
		return clock
	case strings.Contains(m, "trust anchor is disabled"):
		return "have the trust anchor enabled, or pass another one to --trust-anchor-arn"
	case strings.Contains(m, "trust anchor wasn't found"):
		return "check --trust-anchor-arn and the endpoint: the anchor must exist there, in this account and region"
	case strings.Contains(m, "empty profile"):
		return "check --profile-arn: the profile must exist and be enabled"
	case strings.Contains(m, "isn't one of those listed in the profile"):
		return "pass a --role-arn that the profile lists, or have this role added to the profile"
	case strings.Contains(m, "revoked"):
		return "get a new certificate: this one is on the trust anchor's revocation list"
	case strings.Contains(m, "rolesessionname"):
		return "leave out --role-session-name, or let the profile accept it (acceptRoleSessionName)"
	case strings.Contains(m, "durationseconds exceeds"):
		return "pass a smaller --session-duration, or raise the role's maximum session duration"
	case strings.Contains(m, "unable to assume role"):
		return "the role's trust policy must allow rolesanywhere.amazonaws.com the actions sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity for this certificate, and the profile must list the role"
	case strings.Contains(m, "not authorized to perform: sts:assumerole"), strings.Contains(m, "not authorized to perform: sts:tagsession"), strings.Contains(m, "not authorized to perform: sts:setsourceidentity"):
		return "the trust policy of a chained role must allow the role before it sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity, and that role's own policies must allow them on this one"
	case e.Status == http.StatusNotFound:
		return "check the ARNs, their account and the region"
	case e.Status == http.StatusTooManyRequests, throttled(e.Code):
		return "too many requests: ask less often"
	case e.Status/100 == 3:
		return "redirects are not followed: pass the final address to --endpoint"
	case e.Status >= http.StatusInternalServerError:
		return "try again later; the request id helps the server's operator"
	}
	return ""
}

// skew computes Skew from the answer's Date header (RFC 9110 §6.6.1).
func (e *ServiceError) skew(date string, now time.Time) {
	t, err := http.ParseTime(date)
	if err != nil {
		return
	}
	e.Skew, e.HasSkew = now.Sub(t).Truncate(time.Second), true
}

func describeSkew(d time.Duration) string {
	switch {
	case d == 0:
		return "the same as"
	case d > 0:
		return d.String() + " ahead of"
	}
	return (-d).String() + " behind"
}

// connectionError says what kept the request from being answered, without the URL, which is long and known.
func connectionError(ctx context.Context, host string, timeout time.Duration, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Problem: fmt.Sprintf("no answer from %s within %v", host, timeout),
			Advice: "check the endpoint, the network and the proxy variables", Cause: err}
	}
	return &Error{Problem: fmt.Sprintf("cannot reach %s: %v", host, err), Advice: connectionAdvice(err), Cause: err}
}

// ConnectionHint is what to do about a connection that could not be made, or "".
func ConnectionHint(err error) string { return connectionAdvice(err) }

func connectionAdvice(err error) string {
	var (
		verification *tls.CertificateVerificationError
		hostname     x509.HostnameError
		record       tls.RecordHeaderError
		dns          *net.DNSError
	)
	switch {
	case errors.As(err, &hostname):
		return "use the host name that the server's certificate is for"
	case errors.As(err, &verification):
		return "set AWS_CA_BUNDLE to the file with the CA of the server's certificate"
	case errors.As(err, &record), strings.Contains(err.Error(), plainAnswer):
		return "the server does not speak TLS on this port: check the endpoint"
	case errors.As(err, &dns):
		return "check the region or the host name of the endpoint"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "check that the server is running and that the port is right"
	}
	return "check the endpoint, the network and the proxy variables"
}

// plainAnswer is in net/http's error when an HTTPS request gets a plain answer; there is no type for it.
const plainAnswer = "server gave HTTP response to HTTPS client"
