package rolesanywhere

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/store"
)

// privateCA is a private CA as a trust anchor: its own certificate ends every path.
type privateCA struct {
	anchors *certchain.Anchors
	above   []*x509.Certificate // of its chain: one of them may have revoked it
}

// statusDeleted ends the trust in a CA. A disabled one issues no more, but what it has issued stays good.
const statusDeleted = "DELETED"

// authorityOf is the id of the private CA that an anchor names, which is in its own account and region.
func authorityOf(anchor *store.TrustAnchor) (id string, ok bool) {
	a, err := arn.Parse(anchor.SourceData)
	id, ok = strings.CutPrefix(a.Resource, "certificate-authority/")
	return id, err == nil && ok && a.Account == anchor.Account && a.Region == anchor.Region
}

// privateCAOf resolves an anchor of type AWS_ACM_PCA through the cached view, to the certificate that the CA has now.
func (s *Service) privateCAOf(ctx context.Context, anchor *store.TrustAnchor) (*privateCA, error) {
	missing := denied("Untrusted signing certificate: the trust anchor's certificate authority is not available here")
	id, ok := authorityOf(anchor)
	if !ok {
		return nil, missing
	}
	row, err := s.view.Authority(ctx, anchor.Account, anchor.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	c, err := row.Compiled(func(ca *store.CertificateAuthority) (any, error) {
		if ca.Status == statusDeleted || len(ca.Certificate) == 0 {
			return nil, missing
		}
		p := &privateCA{}
		var err error
		if p.anchors, err = certchain.ParseAnchors(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate}))); err != nil {
			return nil, certificateError(err)
		}
		for rest := []byte(ca.Chain); ; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return p, nil
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("stored chain of certificate authority %s: %w", ca.ID, err)
			}
			p.above = append(p.above, cert)
		}
	})
	if err != nil {
		return nil, err
	}
	return c.(*privateCA), nil
}

// checkRevocations asks the cached view whether any certificate of the path, or of the anchor's own chain, was revoked by
// a private CA of this server: the anchor's, or one between it and the leaf. It does not matter what lists those CAs
// publish. Anchors that are bundles are judged by their imported CRLs alone.
func (s *Service) checkRevocations(ctx context.Context, anchor *store.TrustAnchor, ca *privateCA, v *certchain.Verified) error {
	if ca == nil {
		return nil
	}
	path := append(v.Path(), ca.above...)
	for i, cert := range path[:len(path)-1] {
		sum := sha256.Sum256(path[i+1].RawSubjectPublicKeyInfo)
		serial := hex.EncodeToString(cert.SerialNumber.Bytes())
		revoked, err := s.view.Revoked(ctx, anchor.Account, anchor.Region, hex.EncodeToString(sum[:]), serial)
		if err != nil {
			return err
		}
		if revoked {
			return denied("Certificate revoked: the certificate with serial number %s was revoked by its private certificate authority", serial)
		}
	}
	return nil
}
