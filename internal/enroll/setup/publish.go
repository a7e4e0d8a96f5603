package setup

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/directory"
)

// Open connects to the directory as its own account or, for one call, as another one that may write the forest's
// configuration.
func (s *Setup) Open(user, password string) (*directory.Client, error) {
	if user == "" {
		user, password = s.Directory.BindUser, s.password
	}
	cfg, err := enroll.DirectoryConfig(&s.Directory, user, password)
	if err != nil {
		return nil, err
	}
	return directory.New(cfg)
}

// Publish puts the CA of the connector where the forest's members look: NTAuthCertificates (its certificates may log on),
// Certification Authorities (its root is trusted), AIA (chains can be built) and Enrollment Services (Samba's client finds
// the server). It returns what it changed: nothing if all was there. The enrollment service names no templates: members
// ask the policy server for them, and Windows would try DCOM.
func (s *Setup) Publish(ctx context.Context, c *directory.Client) (changed []string, err error) {
	_, certs, err := s.issuing()
	if err != nil {
		return nil, err
	}
	name := certs[0].Subject.CommonName
	if name == "" {
		return nil, fmt.Errorf("the CA %s has no common name, by which members would know it", certs[0].Subject)
	}
	if err := s.ours(ctx, c, name, certs[0]); err != nil {
		return nil, err
	}
	if changed, err = s.certificates(ctx, c, name, certs); err != nil {
		return changed, err
	}
	return s.service(ctx, c, name, certs[0], changed)
}

// certificates publishes a chain.
func (s *Setup) certificates(ctx context.Context, c *directory.Client, name string, certs []*x509.Certificate) (changed []string, err error) {
	for i, cert := range certs {
		to := directory.Containers{NTAuth: i == 0, AIA: true, Roots: cert == root(certs)}
		label := cert.Subject.CommonName
		if label == "" {
			label = fmt.Sprintf("%s %d", name, i)
		}
		did, err := c.Publish(ctx, label, cert, to)
		changed = append(changed, did...)
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// service publishes where the CA takes requests, and adds to what was changed.
func (s *Setup) service(ctx context.Context, c *directory.Client, name string, ca *x509.Certificate, changed []string) ([]string, error) {
	did, err := c.PublishService(ctx, directory.EnrollmentService{Name: name, Host: s.Directory.PolicyHost, Certificate: ca})
	if did {
		changed = append(changed, "CN="+name+",CN=Enrollment Services")
	}
	return changed, err
}

// ErrForeignCA means that the forest has another CA of the same name.
var ErrForeignCA = errors.New("the forest has another CA of this name")

// Register is Publish for a connector that comes to be, as its directory's own account. An account that may write none of
// the containers leaves it to an administrator; one that may write some of them was meant to do it, and what it cannot do is
// an error.
func (s *Setup) Register(ctx context.Context, c *directory.Client) (changed []string, err error) {
	_, certs, err := s.issuing()
	if err != nil {
		return nil, err
	}
	name := certs[0].Subject.CommonName
	if err := s.ours(ctx, c, name, certs[0]); err != nil {
		return nil, err
	}
	may, err := c.Writable(ctx)
	if err != nil || !may.NTAuth && !may.Roots && !may.AIA {
		return nil, err
	}
	if changed, err = s.certificates(ctx, c, name, certs); err != nil || !may.Services {
		return changed, err
	}
	return s.service(ctx, c, name, certs[0], changed)
}

// ours refuses to touch an enrollment service of the same name that is somebody else's, such as AD CS's.
func (s *Setup) ours(ctx context.Context, c *directory.Client, name string, ca *x509.Certificate) error {
	p, err := c.Published(ctx)
	if err != nil {
		return err
	}
	for _, e := range p.Services {
		if strings.EqualFold(e.Name, name) && !strings.EqualFold(e.Host, s.Directory.PolicyHost) && (e.Certificate == nil || !e.Certificate.Equal(ca)) {
			return fmt.Errorf("%w, %q, on %s: a CA for this directory needs a name of its own", ErrForeignCA, name, e.Host)
		}
	}
	return nil
}

// Withdraw takes the CA out again. The root stays if it is not the CA itself: other CAs may be under it. Certificates that are
// in use stop being accepted for logging on.
func (s *Setup) Withdraw(ctx context.Context, c *directory.Client) (changed []string, err error) {
	_, certs, err := s.issuing()
	if err != nil {
		return nil, err
	}
	name := certs[0].Subject.CommonName
	if err := s.ours(ctx, c, name, certs[0]); err != nil {
		return nil, err
	}
	did, err := c.Unpublish(ctx, name)
	if err != nil {
		return nil, err
	}
	if did {
		changed = append(changed, "CN="+name+",CN=Enrollment Services")
	}
	more, err := c.Withdraw(ctx, certs[0], directory.Containers{NTAuth: true, AIA: true, Roots: len(certs) == 1})
	return append(changed, more...), err
}
