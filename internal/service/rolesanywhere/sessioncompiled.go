package rolesanywhere

import (
	"context"

	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/store"
)

// What follows is compiled once per cached row and lives as long as the row is fresh.

// anchorsOf are the CA certificates of a trust anchor, and the private CA they come from, nil for a bundle.
func (s *Service) anchorsOf(ctx context.Context, anchor *store.Cached[store.TrustAnchor]) (*certchain.Anchors, *privateCA, error) {
	if anchor.Row.SourceType == sourceACMPCA {
		ca, err := s.privateCAOf(ctx, &anchor.Row)
		if err != nil {
			return nil, nil, err
		}
		return ca.anchors, ca, nil
	}
	c, err := anchor.Compiled(func(a *store.TrustAnchor) (any, error) {
		if a.SourceType != sourceCertificateBundle {
			return nil, denied("Untrusted signing certificate: the trust anchor's certificate authority is not available here")
		}
		return certchain.ParseAnchors(a.SourceData)
	})
	if err != nil {
		return nil, nil, err
	}
	return c.(*certchain.Anchors), nil, nil
}

// compiledRules are a profile's attribute mappings.
func compiledRules(profile *store.Cached[store.Profile]) (*certattr.Rules, error) {
	c, err := profile.Compiled(func(p *store.Profile) (any, error) {
		mappings := make([]certattr.Mapping, len(p.Mappings))
		for i, m := range p.Mappings {
			mappings[i] = certattr.Mapping{CertificateField: m.CertificateField, Specifiers: m.Specifiers}
		}
		return certattr.Compile(mappings)
	})
	if err != nil {
		return nil, err
	}
	return c.(*certattr.Rules), nil
}
