package gpo

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Keys that auto-enrollment is configured by (MS-CAESO, and what the clients of Windows and Samba read).
const (
	AutoEnrollmentKey = `Software\Policies\Microsoft\Cryptography\AutoEnrollment`
	PolicyServersKey  = `Software\Policies\Microsoft\Cryptography\PolicyServers`
)

// Bits of AEPolicy (MS-CAESO).
const (
	PolicyEnroll   = 0x1
	PolicyRenew    = 0x2 // also fetch pending requests and remove revoked certificates
	PolicyTemplate = 0x4 // also replace certificates of superseded templates
	PolicyDisabled = 0x8000
)

// Values of Auth, as in MS-XCEP 3.1.4.1.3.2 (clientAuthentication).
const (
	AuthAnonymous   = 1
	AuthKerberos    = 2
	AuthPassword    = 4
	AuthCertificate = 8
)

// Flags of a policy server.
const (
	serverFromPolicy = 0x4  // PsfLocationGroupPolicy
	serverAutoEnroll = 0x10 // PsfAutoEnrollmentEnabled; Samba's client skips a server without it
)

// PolicyServer is a certificate enrollment policy service (CEP) as a Group Policy names it.
type PolicyServer struct {
	// URL is the service's: https, a host, and the path that ends in /service.svc/CEP. A client of Samba drops the whole list
	// if one URL names a port or has another path.
	URL string
	// PolicyID is the id that the service gives its policy, such as {083C7011-1D0A-4855-885D-AC945184658C}.
	PolicyID string
	// FriendlyName is shown to users.
	FriendlyName string
	// Auth is one of the Auth… constants.
	Auth uint32
	// Cost orders the servers of one policy; lower is first.
	Cost uint32
	// Certificate is the CA's, DER; nil for none. Windows has no such value: Samba 4.17 skips a server whose CA is not in the
	// directory unless it finds the certificate here.
	Certificate []byte
}

// EntryName is the name of the server's key under [PolicyServersKey]: the SHA-1 of its URL in UTF-16LE, in hexadecimal. It is a
// name, not a protection.
func (p PolicyServer) EntryName() string {
	text := utf16z(p.URL)
	sum := sha1.Sum(text[:len(text)-2])
	return hex.EncodeToString(sum[:])
}

func (p PolicyServer) check() error {
	u, err := url.Parse(p.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("policy server %.200q: need https://HOST/…/service.svc/CEP", p.URL)
	case u.Port() != "" || !strings.HasPrefix(u.Path, "/ADPolicyProvider_CEP_") || !strings.HasSuffix(u.Path, "/service.svc/CEP"):
		return fmt.Errorf("policy server %.200q: clients take only port 443 and the path /ADPolicyProvider_CEP_…/service.svc/CEP", p.URL)
	case p.PolicyID == "":
		return errors.New("policy server without a policy id")
	case p.Auth != AuthAnonymous && p.Auth != AuthKerberos && p.Auth != AuthPassword && p.Auth != AuthCertificate:
		return fmt.Errorf("policy server with authentication %d", p.Auth)
	}
	return nil
}

// AutoEnrollment makes the values of a policy: aePolicy (bits of Policy…) and the servers. The first server's policy is the
// default one. Without servers, clients find CAs in the directory.
func AutoEnrollment(aePolicy uint32, servers ...PolicyServer) ([]Value, error) {
	values := []Value{Number(AutoEnrollmentKey, "AEPolicy", aePolicy)}
	for i, p := range servers {
		if err := p.check(); err != nil {
			return nil, err
		}
		if i == 0 {
			values = append(values, Text(PolicyServersKey, "", p.PolicyID), Number(PolicyServersKey, "Flags", 0))
		}
		key := PolicyServersKey + `\` + p.EntryName()
		values = append(values,
			Text(key, "URL", p.URL), Text(key, "PolicyID", p.PolicyID), Text(key, "FriendlyName", p.FriendlyName),
			Number(key, "Flags", serverFromPolicy|serverAutoEnroll), Number(key, "AuthFlags", p.Auth), Number(key, "Cost", p.Cost))
		if p.Certificate != nil {
			values = append(values, Value{key, "cACertificate", Binary, p.Certificate})
		}
	}
	return values, nil
}

// Merge puts auto-enrollment values into a policy and keeps every other one, in order: other policy servers too, but for
// older entries of the same policies. A value that is there under the same name is replaced.
func Merge(old, autoEnrollment []Value) []Value {
	same := func(a, b Value) bool { return strings.EqualFold(a.Key, b.Key) && strings.EqualFold(a.Name, b.Name) }
	ids := map[string]bool{}
	for _, v := range autoEnrollment {
		if text, ok := v.Text(); ok && strings.EqualFold(v.Name, "PolicyID") && under(v.Key, PolicyServersKey) {
			ids[strings.ToLower(text)] = true
		}
	}
	stale := map[string]bool{}
	for _, v := range old {
		if text, ok := v.Text(); ok && strings.EqualFold(v.Name, "PolicyID") && under(v.Key, PolicyServersKey) && ids[strings.ToLower(text)] {
			stale[strings.ToLower(v.Key)] = true
		}
	}
	var merged []Value
	for _, v := range old {
		replaced := slices.ContainsFunc(autoEnrollment, func(n Value) bool { return same(v, n) })
		if !replaced && !stale[strings.ToLower(v.Key)] {
			merged = append(merged, v)
		}
	}
	return append(merged, autoEnrollment...)
}

// under compares keys without case, as the registry does.
func under(key, top string) bool {
	return len(key) >= len(top) && strings.EqualFold(key[:len(top)], top) && (len(key) == len(top) || key[len(top)] == '\\')
}
