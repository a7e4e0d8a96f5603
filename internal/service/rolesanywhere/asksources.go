package rolesanywhere

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/revocation"
)

// askSources does what the anchor's settings ask for beyond AWS. It comes after the path and the signature were verified:
// nobody unknown makes the server connect anywhere.
func (s *Service) askSources(ctx context.Context, a *attempt, o *revocation.Options, ca *privateCA) error {
	if len(o.Check) == 0 && !o.EndSessions {
		return nil
	}
	path := a.verified.Path()
	if len(o.Check) > 0 {
		if s.cfg.Revocation == nil {
			return denied("Untrusted signing certificate: the trust anchor asks for a revocation check and this server makes none")
		}
		if err := s.cfg.Revocation.Check(ctx, &a.anchor.Row, o, path, a.raw.Now); err != nil {
			return sourceError(err)
		}
	}
	if o.EndSessions {
		a.links = revocation.Links(append(path, aboveOf(ca)...))
	}
	return nil
}

func aboveOf(ca *privateCA) []*x509.Certificate {
	if ca == nil {
		return nil
	}
	return ca.above
}

// sourceError puts a finding into AWS's words, with our reason.
func sourceError(err error) error {
	if f, ok := errors.AsType[*revocation.Finding](err); ok {
		if f.Revoked {
			return denied("Certificate revoked: %s", f.Detail)
		}
		return denied("Untrusted signing certificate: %s", f.Detail)
	}
	return awsapi.Internal(err)
}
