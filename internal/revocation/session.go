package revocation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// Ended says why a session is over before its time.
type Ended struct{ Reason string }

// Error returns the reason.
func (e *Ended) Error() string { return e.Reason }

// sourcePCA and statusDeleted are values of store rows: an anchor that is a private CA, and a CA that is no more.
const (
	sourcePCA     = "AWS_ACM_PCA"
	statusDeleted = "DELETED"
)

// CheckSession looks in the cached view for what ends a session that came from a certificate: its error is *[Ended] then.
// Nothing ends one whose trust anchor does not ask for it.
func CheckSession(ctx context.Context, view *store.View, sess *sessiontoken.Session) error {
	p := sess.Provenance
	if p == nil {
		return nil
	}
	anchor, err := view.TrustAnchor(ctx, p.Account, p.Region, p.TrustAnchorID)
	if errors.Is(err, store.ErrNotFound) {
		if len(p.Links) == 0 { // the anchor did not end sessions when it was there
			return nil
		}
		return &Ended{"its trust anchor was deleted"}
	}
	if err != nil {
		return err
	}
	a := &anchor.Row
	o, err := OptionsOf(a.Tags)
	switch {
	case err != nil:
		return &Ended{"its trust anchor's tags cannot be read"}
	case !o.EndSessions:
		return nil
	case !a.Enabled:
		return &Ended{"its trust anchor is disabled"}
	case len(p.Links) == 0:
		return &Ended{"it is from before its trust anchor was told to end sessions"}
	}
	return checkLinks(ctx, view, a, p.Links)
}

func checkLinks(ctx context.Context, view *store.View, a *store.TrustAnchor, links []sessiontoken.Link) error {
	private := a.SourceType == sourcePCA
	if private {
		if err := authorityThere(ctx, view, a); err != nil {
			return err
		}
	}
	crls, err := EnabledCRLs(ctx, view, a)
	if err != nil {
		return err
	}
	for i := range links {
		l := &links[i]
		revoked := &Ended{"the certificate with serial number " + l.Serial + " was revoked"}
		for _, c := range crls {
			if c.NameID() == l.IssuerName && c.Lists(l.Serial) {
				return revoked
			}
		}
		if private {
			yes, err := view.Revoked(ctx, a.Account, a.Region, l.IssuerKey, l.Serial)
			if err != nil {
				return err
			}
			if yes {
				return revoked
			}
		}
		_, learned, err := view.Learned(ctx, a.Account, a.Region, a.ID, l.IssuerKey, l.Serial)
		if err != nil {
			return err
		}
		if learned {
			return revoked
		}
	}
	return nil
}

// authorityThere finds the private CA that an anchor is.
func authorityThere(ctx context.Context, view *store.View, a *store.TrustAnchor) error {
	gone := &Ended{"its private certificate authority was deleted"}
	name, err := arn.Parse(a.SourceData)
	id, ok := strings.CutPrefix(name.Resource, "certificate-authority/")
	if err != nil || !ok {
		return gone
	}
	ca, err := view.Authority(ctx, a.Account, a.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return gone
	}
	if err != nil {
		return err
	}
	if ca.Row.Status == statusDeleted {
		return gone
	}
	return nil
}

// EnabledCRLs are the imported lists in force for an anchor. One that does not parse is an error: it cannot be ignored.
func EnabledCRLs(ctx context.Context, view *store.View, anchor *store.TrustAnchor) ([]*certchain.CRL, error) {
	rows, err := view.AnchorCRLs(ctx, anchor.Account, anchor.Region, anchor.ID)
	if err != nil {
		return nil, err
	}
	c, err := rows.Compiled(func(rows *[]store.CRL) (any, error) {
		var crls []*certchain.CRL
		for _, row := range *rows {
			if !row.Enabled {
				continue
			}
			crl, err := certchain.ParseCRL(row.Data)
			if err != nil {
				return nil, fmt.Errorf("stored CRL %s: %w", row.ID, err)
			}
			crls = append(crls, crl)
		}
		return crls, nil
	})
	if err != nil {
		return nil, err
	}
	return c.([]*certchain.CRL), nil
}

// Links names each certificate of a path by its issuer, the one after it; the last one is left out.
func Links(path []*x509.Certificate) []sessiontoken.Link {
	var links []sessiontoken.Link
	for i := range len(path) - 1 {
		links = append(links, sessiontoken.Link{
			IssuerName: certchain.NameID(path[i].RawIssuer), IssuerKey: keyID(path[i+1]), Serial: serialHex(path[i]),
		})
	}
	return links
}

// keyID is the SHA-256 of a certificate's public key, as the store writes it.
func keyID(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func serialHex(c *x509.Certificate) string {
	b := c.SerialNumber.Bytes()
	if len(b) == 0 {
		b = []byte{0}
	}
	return hex.EncodeToString(b)
}
