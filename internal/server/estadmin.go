package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/bounds"
	"github.com/rolecall/rolecall/internal/enroll/est"
	"github.com/rolecall/rolecall/internal/enroll/token"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Limits of profiles and tokens.
const (
	minValidity     = time.Minute
	maxValidity     = 10 * 365 * 24 * time.Hour
	maxTokenLife    = 30 * 24 * time.Hour
	maxTokenUses    = 10_000
	shortValidity   = 7 * 24 * time.Hour // of CAs for short-lived certificates
	enrollmentPages = 100
)

// EnrollmentProfile is what an administrator says of a profile.
type EnrollmentProfile struct {
	Name, CA, Template, Subject string // CA and Template are ARNs; a template's name alone will do
	Validity                    time.Duration
	Alternatives                []string
}

// CreateEnrollmentProfile adds a profile of enrollment over secure transport.
func CreateEnrollmentProfile(ctx context.Context, cfg Config, in EnrollmentProfile) error {
	row, err := in.check()
	if err != nil {
		return err
	}
	return withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			ca, err := tx.GetAuthority(row.Account, row.Region, row.Authority)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no certificate authority %s", in.CA)
			}
			if err != nil {
				return err
			}
			if issuer, err := issuance.New(nil).Load(ca); err != nil {
				return err
			} else if issuer.ShortLived && row.Validity > shortValidity {
				return errors.New("the certificate authority issues for at most 7 days")
			}
			row.CreatedAt = tx.Now
			if err := tx.CreateEnrollmentProfile(row); errors.Is(err, store.ErrExists) {
				return fmt.Errorf("there is an enrollment profile %s already", in.Name)
			} else if err != nil {
				return err
			}
			return nil
		})
	})
}

// check refuses a profile that could not work, and one that would hand out what it should not.
func (in *EnrollmentProfile) check() (*store.EnrollmentProfile, error) {
	if !est.ValidName(in.Name) {
		return nil, errors.New("a profile's name has 1 to 64 lower-case letters, digits and -")
	}
	name, err := arn.Parse(in.CA)
	if err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(name.Resource, "certificate-authority/")
	if !ok || name.Service != "acm-pca" {
		return nil, fmt.Errorf("%s does not name a certificate authority", in.CA)
	}
	text := in.Template
	if !strings.HasPrefix(text, "arn:") {
		text = "arn:aws:acm-pca:::template/" + text + "/V1"
	}
	template, err := authority.FindTemplate(text)
	if err != nil {
		return nil, err
	}
	if !est.TemplateAllowed(template) {
		return nil, errors.New("a profile's template is EndEntityCertificate, EndEntityClientAuthCertificate or EndEntityServerAuthCertificate: others leave more than names to the client")
	}
	if in.Validity < minValidity || in.Validity > maxValidity {
		return nil, fmt.Errorf("the validity is %s to %s", minValidity, maxValidity)
	}
	if _, err := bounds.ParseSubject(in.Subject); err != nil {
		return nil, err
	}
	if _, err := bounds.ParseAlternatives(in.Alternatives); err != nil {
		return nil, err
	}
	return &store.EnrollmentProfile{
		Name: in.Name, Account: name.Account, Region: name.Region, Authority: id, Template: text, Validity: in.Validity, Subject: in.Subject, Alternatives: in.Alternatives,
	}, nil
}

// DeleteEnrollmentProfile removes a profile and its tokens.
func DeleteEnrollmentProfile(ctx context.Context, cfg Config, name string) error {
	return withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		err := db.Update(ctx, func(tx *store.Tx) error { return tx.DeleteEnrollmentProfile(name) })
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no enrollment profile %s", name)
		}
		return err
	})
}

// ListEnrollmentProfiles lists all profiles by name.
func ListEnrollmentProfiles(ctx context.Context, cfg Config) ([]store.EnrollmentProfile, error) {
	return listAll(ctx, cfg, (*store.Tx).ListEnrollmentProfiles)
}

// ListEnrollmentTokens lists all tokens by id.
func ListEnrollmentTokens(ctx context.Context, cfg Config) ([]store.EnrollmentToken, error) {
	return listAll(ctx, cfg, (*store.Tx).ListEnrollmentTokens)
}

func listAll[T any](ctx context.Context, cfg Config, page func(tx *store.Tx, limit int, after string) ([]T, string, error)) (list []T, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Read(ctx, func(tx *store.Tx) error {
			list = nil
			for after := ""; ; {
				rows, next, err := page(tx, enrollmentPages, after)
				if err != nil {
					return err
				}
				list = append(list, rows...)
				if next == "" {
					return nil
				}
				after = next
			}
		})
	})
	return list, err
}

// EnrollmentToken is what an administrator says of a token.
type EnrollmentToken struct {
	Profile, Subject string
	Alternatives     []string
	Life             time.Duration
	Uses             int
}

// CreateEnrollmentToken makes a token. Its text is nowhere else.
func CreateEnrollmentToken(ctx context.Context, cfg Config, in EnrollmentToken) (text string, row *store.EnrollmentToken, err error) {
	if in.Subject == "" {
		return "", nil, errors.New("a token needs a subject pattern, such as CN=host1.*")
	}
	if _, err := bounds.ParseSubject(in.Subject); err != nil {
		return "", nil, err
	}
	if _, err := bounds.ParseAlternatives(in.Alternatives); err != nil {
		return "", nil, err
	}
	if in.Life < time.Second || in.Life > maxTokenLife {
		return "", nil, fmt.Errorf("a token lives for 1s to %s", maxTokenLife)
	}
	if in.Uses < 1 || in.Uses > maxTokenUses {
		return "", nil, fmt.Errorf("a token has 1 to %d uses", maxTokenUses)
	}
	err = withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error {
		return db.Update(ctx, func(tx *store.Tx) (err error) {
			if _, err := tx.GetEnrollmentProfile(in.Profile); errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no enrollment profile %s", in.Profile)
			} else if err != nil {
				return err
			}
			if text, row, err = token.New(ring, tx.Now); err != nil {
				return err
			}
			row.Profile, row.Subject, row.Alternatives, row.UsesLeft, row.ExpiresAt = in.Profile, in.Subject, in.Alternatives, in.Uses, tx.Now.Add(in.Life)
			return tx.CreateEnrollmentToken(row)
		})
	})
	return text, row, err
}

// RevokeEnrollmentToken removes a token by its id.
func RevokeEnrollmentToken(ctx context.Context, cfg Config, id string) error {
	return withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		err := db.Update(ctx, func(tx *store.Tx) error { return tx.DeleteEnrollmentToken(id) })
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no enrollment token %s", id)
		}
		return err
	})
}
