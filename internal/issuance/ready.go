package issuance

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// Ready is a CA as it stands in the cached view, ready to sign outside of a transaction.
type Ready struct {
	CA     *store.CertificateAuthority
	Policy *iampolicy.Policy // the CA's resource policy; nil for none

	row        *store.IssuingAuthority
	issuer     *authority.Issuer
	revocation *pca.RevocationConfiguration
	revision   atomic.Int64 // of the store, at which the CA was last found to be what it is here
}

// ErrChanged means that a CA is not as it was when a certificate was signed: issue anew, with [Issuer.Issue].
var ErrChanged = errors.New("issuance: the certificate authority has changed meanwhile")

// Ready finds the CA in the view. Its error wraps [store.ErrNotFound] if there is none.
func (i *Issuer) Ready(ctx context.Context, view *store.View, account arn.AccountID, region arn.Region, id string) (*Ready, error) {
	row, err := view.IssuingAuthority(ctx, account, region, id)
	if err != nil {
		return nil, err
	}
	form, err := row.Compiled(i.compile)
	if err != nil {
		return nil, err
	}
	return form.(*Ready), nil
}

func (i *Issuer) compile(row *store.IssuingAuthority) (any, error) {
	r := &Ready{CA: &row.CertificateAuthority, row: row}
	var err error
	if row.Policy != "" {
		if r.Policy, err = iampolicy.Parse(row.Policy, iampolicy.Resource); err != nil {
			return nil, errors.New("the stored policy of certificate authority " + row.ID + " cannot be read") // fail closed
		}
		r.Policy = r.Policy.Named("resource policy of " + row.ID)
	}
	if len(row.CSR) == 0 {
		return nil, fmt.Errorf("certificate authority %s has no key yet", row.ID)
	}
	if r.issuer, err = i.Load(r.CA); err != nil {
		return nil, err
	}
	r.issuer.Busy()
	if r.revocation, err = RevocationOf(r.CA); err != nil {
		return nil, err
	}
	r.issuer.OCSP, r.issuer.CAIssuers = accessURIs(r.CA, r.revocation)
	if CRLLife(r.revocation) > 0 && !OmitsCRLExtension(r.revocation.CrlConfiguration) {
		r.issuer.DistributionPoint = i.listURI(r.CA, r.revocation.CrlConfiguration, r.CA.ID)
	}
	return r, nil
}

// Signed is a certificate that is not stored yet. Nobody may see it before it is.
type Signed struct {
	ARN      string
	ready    *Ready
	row      store.IssuedCertificate
	template *authority.Template
}

// MayIssue reports whether the CA's state lets it issue by the template. A root signs its own certificate before it is active.
func MayIssue(ca *store.CertificateAuthority, t *authority.Template, now time.Time) bool {
	state := StatusOf(ca, now)
	return state == pca.CertificateAuthorityStatusActive ||
		state == pca.CertificateAuthorityStatusPendingCertificate && t.Root() && ca.Type == string(pca.CertificateAuthorityTypeRoot)
}

// Sign signs what req asks for. Refusals are of type *authority.Error.
func (i *Issuer) Sign(ctx context.Context, db *store.DB, r *Ready, req *authority.Request) (*Signed, error) {
	issuer, partition := r.issuer, ""
	switch {
	case req.Template.Root(): // no list says anything of a root
		own := *issuer
		own.DistributionPoint = ""
		issuer = &own
	case Partitioned(r.revocation):
		l, err := i.openPartition(ctx, db, r)
		if err != nil {
			return nil, err
		}
		partition = l.ID
		if issuer.DistributionPoint != "" {
			own := *issuer
			own.DistributionPoint = l.URI
			issuer = &own
		}
	}
	_, row, err := signed(issuer, r.CA, req, partition)
	if err != nil {
		return nil, err
	}
	return &Signed{ARN: CertificateARN(r.CA, row.Serial), ready: r, template: req.Template, row: *row}, nil
}

// openPartition is the CA's newest partition, which has room; ErrChanged if a new one has to be made.
func (i *Issuer) openPartition(ctx context.Context, db *store.DB, r *Ready) (l *store.AuthorityList, err error) {
	err = db.Read(ctx, func(tx *store.Tx) (err error) {
		l, err = i.currentPartition(tx, r)
		return err
	})
	return l, err
}

func (i *Issuer) currentPartition(tx *store.Tx, r *Ready) (*store.AuthorityList, error) {
	l, err := tx.CurrentPartition(r.CA.Account, r.CA.Region, r.CA.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !i.hasRoom(r.CA, r.revocation.CrlConfiguration, l) {
		return nil, ErrChanged
	}
	return l, err
}

// Store makes the certificate part of the transaction, if the CA is still what it was when the certificate was signed,
// and may issue. It writes nothing unless it returns nil.
func (i *Issuer) Store(tx *store.Tx, s *Signed) error {
	same, err := store.Once(tx, s.ready, func() (bool, error) { return s.ready.current(tx) })
	if err != nil {
		return err
	}
	if !same || !MayIssue(s.ready.CA, s.template, tx.Now) {
		return ErrChanged
	}
	if s.row.Partition != "" {
		l, err := i.currentPartition(tx, s.ready)
		if err != nil {
			return err
		}
		if l.ID != s.row.Partition {
			return ErrChanged
		}
		if err := tx.GrowAuthorityList(l); err != nil {
			return err
		}
	}
	tx.QueueIssuedCertificate(s.row)
	return nil
}

// current compares with the store, unless nothing has changed there since the last time. When the next list is due changes
// all the time and decides nothing.
func (r *Ready) current(tx *store.Tx) (bool, error) {
	revision, err := tx.Revision()
	if err != nil {
		return false, err
	}
	if revision != 0 && revision == r.revision.Load() {
		return true, nil
	}
	now, err := tx.GetIssuingAuthority(r.CA.Account, r.CA.Region, r.CA.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	was := *r.row
	was.CRLDueAt, now.CRLDueAt = time.Time{}, time.Time{}
	same := reflect.DeepEqual(&was, now)
	if same {
		r.revision.Store(revision)
	}
	return same, nil
}
