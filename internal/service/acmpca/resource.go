package acmpca

import (
	"errors"
	"net/http"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	service        = "acm-pca"
	resourcePrefix = "certificate-authority/"
	certificateIn  = "/certificate/"
)

// status is a CA's state as callers see it.
type status = pca.CertificateAuthorityStatus

const (
	creating = pca.CertificateAuthorityStatusCreating
	pending  = pca.CertificateAuthorityStatusPendingCertificate
	active   = pca.CertificateAuthorityStatusActive
	disabled = pca.CertificateAuthorityStatusDisabled
	expired  = pca.CertificateAuthorityStatusExpired
	failed   = pca.CertificateAuthorityStatusFailed
	deleted  = pca.CertificateAuthorityStatusDeleted
)

// inState refuses unless the CA is in one of the states.
func inState(call *awsapi.Call, ca *store.CertificateAuthority, states ...status) error {
	st := issuance.StatusOf(ca, call.Now)
	for _, s := range states {
		if s == st {
			return nil
		}
	}
	return pca.InvalidStateException("The certificate authority %s is not in the correct state for this operation: it is %s", issuance.ARN(ca), st)
}

// parseCA takes the ARN of a CA and returns its id. Those of other accounts and regions are not there, whoever asks.
func parseCA(call *awsapi.Call, text string) (string, error) {
	a, err := arn.Parse(text)
	id, ok := strings.CutPrefix(a.Resource, resourcePrefix)
	if err != nil || a.Service != service || !ok || !isUUID(id) {
		return "", pca.InvalidArnException("%s is not the ARN of a certificate authority", clip(text))
	}
	if a.Partition != call.Partition || a.Region != call.Region || a.Account != call.Account {
		return "", notFound(text)
	}
	return id, nil
}

func notFound(text string) *awsapi.Error {
	return pca.ResourceNotFoundException("Could not find Certificate Authority with ARN: %s", clip(text))
}

// findCA reads the CA. A deleted one beyond its window is not there, even before it is cleared away.
func findCA(call *awsapi.Call, text string) (*store.CertificateAuthority, error) {
	id, err := parseCA(call, text)
	if err != nil {
		return nil, err
	}
	ca, err := call.Tx.GetAuthority(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && issuance.Gone(ca, call.Now) {
		return nil, notFound(text)
	}
	return ca, err
}

// parseCertificate takes the ARN of a certificate of the CA and returns its serial, 32 hex digits.
func parseCertificate(caName, text string) (string, error) {
	serial, ok := strings.CutPrefix(text, caName+certificateIn)
	if !ok || len(serial) != 32 || strings.Trim(serial, "0123456789abcdef") != "" {
		return "", pca.InvalidArnException("%s is not the ARN of a certificate of %s", clip(text), clip(caName))
	}
	return serial, nil
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// public turns a refusal of package authority into the API's exception.
func public(err error) error {
	if errors.Is(err, authority.ErrUnavailable) {
		e := pca.RequestFailedException("The request has failed for an unspecified reason: the key of the certificate authority cannot be reached now, try again later")
		e.Status = http.StatusServiceUnavailable // clients try again
		return e.Because(err)
	}
	e, ok := errors.AsType[*authority.Error](err)
	if !ok {
		return err
	}
	switch e.Reason {
	case authority.BadCSR:
		return pca.MalformedCSRException("%s", e.Text)
	case authority.BadValidity:
		return awsapi.Validation("%s", e.Text)
	case authority.BadCertificate:
		return pca.MalformedCertificateException("%s", e.Text)
	case authority.Mismatch:
		return pca.CertificateMismatchException("%s", e.Text)
	}
	return pca.InvalidArgsException("%s", e.Text)
}

func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
