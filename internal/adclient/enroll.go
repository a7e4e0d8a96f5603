package adclient

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/userfile"
)

// Enrollment keeps certificates in a folder current.
type Enrollment struct {
	Client *Client
	// Folder holds a folder per template, with CertFile, KeyFile and ChainFile. It is made with mode 0700.
	Folder string
	// Templates are the names to enroll for; none means all that the caller may enroll for automatically.
	Templates []string
	// Machine says that the caller is a computer: it gets the templates for computers, users the others.
	Machine bool
	// Subject is the common name for templates that leave the subject to the client.
	Subject string
	// Force enrolls although the certificates are good.
	Force bool
	// Report is told what was done.
	Report func(format string, args ...any)
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Run enrolls once for what is missing, ends soon or was issued by an older version of its template. next is when to run
// again at the latest. What fails for one template keeps the others from nothing; the errors come joined.
func (e *Enrollment) Run(ctx context.Context) (next time.Time, err error) {
	if e.Now == nil {
		e.Now = time.Now
	}
	if err := os.MkdirAll(e.Folder, 0o700); err != nil {
		return next, err
	}
	lock, err := userfile.Acquire(ctx, filepath.Join(e.Folder, ".lock"))
	if err != nil {
		return next, err
	}
	defer lock.Release()
	policies, err := e.Client.Policies(ctx)
	if err != nil {
		return next, err
	}
	chosen, err := e.choose(policies)
	if err != nil {
		return next, err
	}
	next = e.Now().Add(interval)
	var failures []error
	for _, t := range chosen {
		due, err := e.keep(ctx, policies, t)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", t.Name, err))
		} else if due.Before(next) {
			next = due
		}
	}
	return next, errors.Join(failures...)
}

// interval is how long policies count without asking again.
const interval = 8 * time.Hour

// choose are the templates of this run.
func (e *Enrollment) choose(p *Policies) ([]*Template, error) {
	var list []*Template
	for i := range p.Templates {
		if t := &p.Templates[i]; len(e.Templates) == 0 && t.Enroll && t.AutoEnroll && t.Machine == e.Machine {
			list = append(list, t)
		}
	}
	for _, name := range e.Templates {
		t, err := p.Template(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		e.Report("no template is for automatic enrollment by this account")
	}
	return list, nil
}

// keep enrolls for one template if it is time, and returns when it will be.
func (e *Enrollment) keep(ctx context.Context, p *Policies, t *Template) (time.Time, error) {
	f := folder(e.Folder)
	have, err := f.current(t.Name)
	if err != nil {
		return time.Time{}, err
	}
	reason := e.reason(have, t)
	if reason == "" {
		due := dueAt(have, t)
		e.Report("%s: good until %s, to be renewed after %s", t.Name, have.NotAfter.UTC().Format(time.RFC3339), due.UTC().Format(time.RFC3339))
		return due, nil
	}
	key, leaf, chain, err := e.obtain(ctx, p, t)
	if err != nil {
		return time.Time{}, err
	}
	if err := f.install(t.Name, key, leaf, chain); err != nil {
		return time.Time{}, err
	}
	e.Report("%s: %s: certificate %x until %s in %s", t.Name, reason, leaf.SerialNumber, leaf.NotAfter.UTC().Format(time.RFC3339), f.path(t.Name))
	return dueAt(leaf, t), nil
}

// reason is why to enroll now, "" if there is none.
func (e *Enrollment) reason(have *x509.Certificate, t *Template) string {
	switch {
	case have == nil:
		return "enrolled"
	case e.Force:
		return "enrolled again"
	case !e.Now().Before(dueAt(have, t)):
		return "renewed"
	}
	if major, ok := majorVersion(have); ok && major < t.Major {
		return "renewed for a new version of the template"
	}
	return ""
}

// dueAt is when a certificate is to be renewed: the template's renewal period before its end, but not in its first half.
func dueAt(cert *x509.Certificate, t *Template) time.Time {
	half := cert.NotAfter.Sub(cert.NotBefore) / 2
	return cert.NotAfter.Add(-min(t.Renewal, half))
}

// obtain makes a key and gets a certificate for it, checked.
func (e *Enrollment) obtain(ctx context.Context, p *Policies, t *Template) (crypto.Signer, *x509.Certificate, []*x509.Certificate, error) {
	if !t.Enroll {
		return nil, nil, nil, errors.New("this account may not enroll")
	}
	if len(t.CAs) == 0 {
		return nil, nil, nil, errors.New("no CA issues certificates of the template")
	}
	ca := &p.CAs[t.CAs[0]]
	service, err := e.Client.service(ca)
	if err != nil {
		return nil, nil, nil, err
	}
	key, err := newKey(t)
	if err != nil {
		return nil, nil, nil, err
	}
	csr, err := newRequest(t, key, e.Subject)
	if err != nil {
		return nil, nil, nil, err
	}
	issued, err := e.Client.Request(ctx, service, csr, "")
	if err != nil {
		return nil, nil, nil, err
	}
	if err := check(issued.Leaf, key, ca.Certificate, e.Now()); err != nil {
		return nil, nil, nil, unreachable("%s: %w", strings.TrimPrefix(service, "https://"), err)
	}
	return key, issued.Leaf, order(issued.Leaf, append(issued.Chain, ca.Certificate)), nil
}

// check keeps the old certificate in its place unless the new one works.
func check(leaf *x509.Certificate, key crypto.Signer, ca *x509.Certificate, now time.Time) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	switch {
	case !ok || !public.Equal(leaf.PublicKey):
		return errors.New("the certificate that came is not for the key")
	case leaf.CheckSignatureFrom(ca) != nil:
		return errors.New("the certificate that came is not from the CA of the policy")
	case now.Before(leaf.NotBefore) || !now.Before(leaf.NotAfter):
		return fmt.Errorf("the certificate that came counts from %s to %s only: compare the clocks", leaf.NotBefore.UTC().Format(time.RFC3339), leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}
