package enroll

import (
	"strings"

	"github.com/rolecall/rolecall/internal/enroll/xcep"
)

// endpoint is one of the addresses, which are those of AD CS: clients insist on the form.
type endpoint struct {
	kind           kind
	authentication xcep.Authentication
	authority      string // of an enrollment service: the CA's id, lower case
}

type kind int

const (
	policyService kind = iota + 1
	enrollmentService
	chainService
)

const (
	policyPrefix  = "/ADPolicyProvider_CEP_"
	policySuffix  = "/service.svc/CEP"
	enrollInfix   = "_CES_"
	enrollSuffix  = "/service.svc/CES"
	chainPath     = "/CertSrv/mscep/mscep.dll/pkiclient.exe"
	maxPathLength = 256
)

// parsePath reads a path in any case, as IIS does.
func parsePath(path string) (endpoint, bool) {
	if len(path) > maxPathLength {
		return endpoint{}, false
	}
	low := strings.ToLower(path)
	if low == strings.ToLower(chainPath) {
		return endpoint{kind: chainService}, true
	}
	if rest, ok := strings.CutPrefix(low, strings.ToLower(policyPrefix)); ok {
		name, ok := strings.CutSuffix(rest, strings.ToLower(policySuffix))
		a, known := authentications(name)
		return endpoint{kind: policyService, authentication: a}, ok && known
	}
	rest, ok := strings.CutSuffix(low, strings.ToLower(enrollSuffix))
	ca, name, cut := strings.Cut(rest, strings.ToLower(enrollInfix))
	a, known := authentications(name)
	if !ok || !cut || !known || len(ca) < 2 || ca[0] != '/' || strings.Contains(ca[1:], "/") {
		return endpoint{}, false
	}
	return endpoint{kind: enrollmentService, authentication: a, authority: ca[1:]}, true
}

func authentications(name string) (xcep.Authentication, bool) {
	switch name {
	case "kerberos":
		return xcep.Kerberos, true
	case "usernamepassword":
		return xcep.UsernamePassword, true
	}
	return 0, false
}

// enrollURIs are the enrollment services of a CA, the one with the caller's own authentication first. Without tickets there is
// no address for them: a client would try it in vain.
func enrollURIs(host, authority string, first xcep.Authentication, tickets bool) []xcep.URI {
	base := "https://" + host + "/" + authority + enrollInfix
	uris := []xcep.URI{
		{Authentication: xcep.Kerberos, Address: base + "Kerberos" + enrollSuffix},
		{Authentication: xcep.UsernamePassword, Address: base + "UsernamePassword" + enrollSuffix},
	}
	if !tickets {
		return uris[1:]
	}
	if first == xcep.UsernamePassword {
		uris[0], uris[1] = uris[1], uris[0]
	}
	return uris
}
