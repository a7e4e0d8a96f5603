package setup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/adtemplate"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/gpo"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/issuance"
)

// State of one thing that was checked.
type State string

// The states. Only a Problem makes the whole fail.
const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem"
	Skipped State = "skipped" // it could not be looked at
)

// Result is what a check found, and what to do about it.
type Result struct {
	Subject string `json:"subject"`
	State   State  `json:"state"`
	Text    string `json:"text"`
	Fix     string `json:"fix,omitempty"`
}

// maxSkew is half of what Kerberos takes: a clock that far off is about to be too far.
const maxSkew = 150 * time.Second

// Options of [Setup.Check].
type Options struct {
	// PolicyAddress is where the policy host's TLS certificate is looked at; default: the policy host, port 443.
	PolicyAddress string
	// RegistryPol is a group policy's Registry.pol to compare; nil for none.
	RegistryPol []byte
	Now         func() time.Time
}

// checker collects results in the order in which things depend on each other.
type checker struct {
	*Setup
	opt     Options
	results []Result
}

func (c *checker) say(subject string, state State, fix, format string, args ...any) {
	if state == OK {
		fix = ""
	}
	c.results = append(c.results, Result{subject, state, fmt.Sprintf(format, args...), fix})
}

// Check looks at everything that enrollment needs, in order. It changes nothing.
func (s *Setup) Check(ctx context.Context, opt Options) []Result {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	c := &checker{Setup: s, opt: opt}
	reached := c.controllers(ctx)
	client, err := s.Open("", "")
	if err != nil {
		c.say("directory", Problem, "correct the directory with: rolecalld ad directory update", "%v", err)
		return c.results
	}
	defer client.Close()
	if reached {
		c.service(ctx, client)
	}
	c.states()
	if reached {
		c.published(ctx, client)
	}
	c.policy()
	c.host(ctx, client, reached)
	c.templates(ctx, client, reached)
	return c.results
}

// controllers connects to each domain controller on its own: name, port, TLS, bind, clock.
func (c *checker) controllers(ctx context.Context) (reached bool) {
	for _, server := range c.Directory.Servers {
		subject := "domain controller " + server
		u, err := url.Parse(server)
		if err != nil {
			c.say(subject, Problem, "give ldaps://HOST with rolecalld ad directory update --server", "its address cannot be read")
			continue
		}
		if _, err := net.DefaultResolver.LookupHost(ctx, u.Hostname()); err != nil {
			c.say(subject, Problem, "make this machine use the domain's DNS", "its name is not found: %v", err)
			continue
		}
		row := c.Directory
		row.Servers = []string{server}
		cfg, err := enroll.DirectoryConfig(&row, row.BindUser, c.password)
		if err != nil {
			c.say(subject, Problem, "correct the directory with: rolecalld ad directory update", "%v", err)
			continue
		}
		client, err := directory.New(cfg)
		if err != nil {
			c.say(subject, Problem, "correct the directory with: rolecalld ad directory update", "%v", err)
			continue
		}
		d, err := client.Domain(ctx)
		client.Close()
		if err != nil {
			c.say(subject, Problem, connectFix(err), "%v", err)
			continue
		}
		reached = true
		c.say(subject, OK, "", "answers as %s of %s; TLS and bind work", d.Host, d.DNSName)
		if d.Realm() != c.Directory.Realm {
			c.say(subject, Problem, "name controllers of one domain only", "it is of the realm %s, the directory is %s", d.Realm(), c.Directory.Realm)
		}
		if off := d.Time.Sub(c.opt.Now()).Abs(); off > maxSkew {
			c.say("clock", Problem, "set the clock (chrony, systemd-timesyncd) by the domain controllers", "it differs from %s by %s; Kerberos takes 5m0s at most", server, off.Round(time.Second))
		} else {
			c.say("clock", OK, "", "within %s of %s", maxSkew, server)
		}
	}
	return reached
}

func connectFix(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return "give the CA of the domain controllers with: rolecalld ad directory update --ca-file"
	case errors.As(err, &host):
		return "name the server as its certificate does, or give it a certificate with this name"
	case errors.Is(err, directory.ErrServiceAccount):
		return "give the account and its password with: rolecalld ad directory update --bind-user --bind-password-file; see that the account is not locked, expired or disabled"
	}
	return "open port 636 from this machine, and see that the controller has a certificate for LDAPS"
}

// service checks SPN, account and keytab, and in the end the whole of it with a ticket.
func (c *checker) service(ctx context.Context, client *directory.Client) {
	spn := c.Directory.ServicePrincipal()
	if len(c.keytab) == 0 {
		c.say("keytab", Warning, "make one for "+spn+" and give it with: rolecalld ad directory update --keytab", "there is none: members have to enroll with passwords")
		return
	}
	account, err := client.Service(ctx, spn)
	switch {
	case errors.Is(err, directory.ErrNoPrincipal):
		c.say("service principal name", Problem, "on a domain controller: setspn -S "+spn+" ACCOUNT (Samba: samba-tool spn add)", "no account has %s", spn)
		return
	case errors.Is(err, directory.ErrDuplicatePrincipal):
		c.say("service principal name", Problem, "find them with setspn -Q "+spn+" and remove all but one with setspn -D", "several accounts have %s: the KDC issues no tickets for it", spn)
		return
	case err != nil:
		c.say("service principal name", Problem, "", "%v", err)
		return
	}
	c.say("service principal name", OK, "", "%s is on %s alone", spn, account.DN)
	if account.Disabled {
		c.say("service account", Problem, "enable it", "%s is disabled", account.DN)
	}
	if account.AES {
		c.say("service account", OK, "", "AES tickets are enabled")
	} else {
		c.say("service account", Problem, "set msDS-SupportedEncryptionTypes of "+account.DN+" to 24, set its password again, and export the keytab again",
			"%s has no AES in msDS-SupportedEncryptionTypes: its tickets would be RC4, which is refused", account.DN)
	}
	if c.keys(spn, account) {
		c.ticket(ctx, spn)
	}
}

// keys holds the keytab against the account.
func (c *checker) keys(spn string, account *directory.ServiceAccount) bool {
	keys, err := kerberos.KeytabKeys(c.keytab)
	if err != nil {
		c.say("keytab", Problem, "export it again", "%v", err)
		return false
	}
	again := "export the keytab of " + spn + " again and give it with: rolecalld ad directory update --keytab"
	var aes, current, rc4 bool
	newest := 0
	for _, k := range keys {
		if !strings.EqualFold(k.Principal, spn) || k.Realm != c.Directory.Realm {
			continue
		}
		aes, rc4 = aes || k.AES(), rc4 || !k.AES()
		if k.AES() {
			newest = max(newest, k.KVNO)
			current = current || account.KVNO == 0 || k.KVNO == account.KVNO
		}
	}
	switch {
	case !aes && rc4:
		c.say("keytab", Problem, again+"; for AES set msDS-SupportedEncryptionTypes to 24 first", "it has RC4 keys of %s only", spn)
		return false
	case !aes:
		c.say("keytab", Problem, again, "it has no key of %s@%s", spn, c.Directory.Realm)
		return false
	case !current:
		c.say("keytab", Problem, again, "its newest key of %s has version %d; the account's is %d: the password was changed since", spn, newest, account.KVNO)
		return false
	}
	c.say("keytab", OK, "", "has AES keys of %s in the account's version %d", spn, account.KVNO)
	return true
}

// ticket gets a ticket for the service as the reading account and opens it with the keytab.
func (c *checker) ticket(ctx context.Context, spn string) {
	const subject = "Kerberos ticket"
	user, _, ok := strings.Cut(c.Directory.BindUser, "@")
	if _, name, netbios := strings.Cut(c.Directory.BindUser, `\`); netbios {
		user, ok = name, true
	}
	if !ok {
		c.say(subject, Skipped, "", "the reading account is named by a DN; a UPN would let the check ask for a ticket")
		return
	}
	var kdcs strings.Builder
	for _, server := range c.Directory.Servers {
		if u, err := url.Parse(server); err == nil {
			fmt.Fprintf(&kdcs, "  kdc = %s:88\n", u.Hostname())
		}
	}
	realm := c.Directory.Realm
	conf := "[libdefaults]\n default_realm = " + realm + "\n dns_lookup_kdc = false\n dns_lookup_realm = false\n udp_preference_limit = 1\n[realms]\n " + realm + " = {\n" + kdcs.String() +
		" }\n[domain_realm]\n ." + strings.ToLower(realm) + " = " + realm + "\n " + c.Directory.PolicyHost + " = " + realm + "\n"
	done := make(chan error, 1)
	go func() { done <- c.exchange(conf, user, spn) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		c.say(subject, Problem, "see that port 88 of the controllers can be reached and that the keytab was exported after the account's last change of password", "a ticket for %s was not accepted: %v", spn, err)
		return
	}
	c.say(subject, OK, "", "a ticket for %s was issued and opened with the keytab", spn)
}

func (c *checker) exchange(conf, user, spn string) error {
	k, err := initiate.New(initiate.Config{Krb5Conf: conf, Principal: user, Password: c.password})
	if err != nil {
		return err
	}
	defer k.Close()
	header, _, err := k.Negotiate(c.Directory.PolicyHost, nil)
	if err != nil {
		return err
	}
	a, err := kerberos.New(kerberos.Config{Keytab: c.keytab, Services: []string{spn}, ChannelBinding: kerberos.Off, Clock: c.opt.Now})
	if err != nil {
		return err
	}
	_, _, err = a.Accept(header, nil)
	return err
}

// states looks at the rows of the API.
func (c *checker) states() {
	const cli = "aws pca-connector-ad "
	switch {
	case c.Registration == nil:
		c.say("registration", Problem, cli+"create-directory-registration --directory-id "+c.Directory.ID, "the directory is not registered")
	case c.Registration.Status != active:
		c.say("registration", Problem, "repair what is named, and create it again: it takes the place of one that failed", "it is %s %s", c.Registration.Status, c.Registration.Reason)
	default:
		c.say("registration", OK, "", "ACTIVE")
	}
	if len(c.Connectors) == 0 {
		c.say("connector", Problem, cli+"create-connector --directory-id "+c.Directory.ID+" --certificate-authority-arn ARN …", "the directory has none")
	}
	for i := range c.Connectors {
		n := &c.Connectors[i]
		subject := "connector " + n.Connector.ID
		if n.Connector.Status == active {
			c.say(subject, OK, "", "ACTIVE")
		} else {
			c.say(subject, Problem, "repair what is named, create another connector, and delete this one", "it is %s %s", n.Connector.Status, n.Connector.Reason)
		}
		switch n.Principal.Status {
		case active:
			c.say(subject+" service principal name", OK, "", "ACTIVE")
		case "":
			c.say(subject+" service principal name", Problem, cli+"create-service-principal-name", "it has none, and enrolls nobody without")
		default:
			c.say(subject+" service principal name", Problem, "repair what is named, and create it again: it takes the place of one that failed", "it is %s %s", n.Principal.Status, n.Principal.Reason)
		}
		c.authority(subject, n)
	}
}

func (c *checker) authority(subject string, n *Connector) {
	subject += " CA"
	if n.Authority == nil {
		c.say(subject, Problem, "delete the connector and make one with a CA that exists", "%s is gone", n.Connector.Authority)
		return
	}
	if st := issuance.StatusOf(n.Authority, c.opt.Now()); string(st) != active {
		c.say(subject, Problem, "aws acm-pca describe-certificate-authority shows what it waits for", "it is %s", st)
		return
	}
	certs, err := chain(n.Authority)
	switch {
	case err != nil:
		c.say(subject, Problem, "", "%v", err)
	case certs[0].Subject.CommonName == "":
		c.say(subject, Problem, "connect a CA with a common name", "its name %s has no CN, by which Windows knows a CA", certs[0].Subject)
	case root(certs) == nil:
		c.say(subject, Problem, "import its certificate again with the whole chain", "its chain ends below the root, which members must trust")
	default:
		c.say(subject, OK, "", "ACTIVE, %s, until %s", certs[0].Subject, certs[0].NotAfter.UTC().Format(time.DateOnly))
	}
}

const (
	active = "ACTIVE"
	failed = "FAILED"
)

// templates: somebody must be able to enroll for something.
func (c *checker) templates(ctx context.Context, client *directory.Client, reached bool) {
	for i := range c.Connectors {
		n := &c.Connectors[i]
		subject := "templates of connector " + n.Connector.ID
		enrolls, auto := 0, 0
		for _, t := range n.Templates {
			for _, a := range t.Access {
				if a.Enroll != "ALLOW" {
					continue
				}
				enrolls++
				if a.AutoEnroll == "ALLOW" {
					auto++
				}
				if !reached || adtemplate.CheckSID(a.SID) != nil || wellKnown(a.SID) {
					continue
				}
				if _, err := client.GroupName(ctx, a.SID); errors.Is(err, directory.ErrNotFound) {
					c.say(subject, Warning, "find the group's SID with: wbinfo -n GROUP, or Get-ADGroup", "template %s lets %s (%s) enroll, which is no group of the domain", t.Template.Name, a.SID, a.Name)
				}
			}
		}
		switch {
		case len(n.Templates) == 0:
			c.say(subject, Problem, "rolecalld template create --predefined …", "there are none")
		case enrolls == 0:
			c.say(subject, Problem, "aws pca-connector-ad create-template-group-access-control-entry", "no group may enroll with any of the %d", len(n.Templates))
		case auto == 0:
			c.say(subject, Warning, "allow a group AutoEnroll", "groups may enroll, but none by itself")
		default:
			c.say(subject, OK, "", "%d, with %d entries that allow to enroll by itself", len(n.Templates), auto)
		}
	}
}

func wellKnown(sid string) bool { return !strings.HasPrefix(sid, "S-1-5-21-") }

// published compares the forest with the CA.
func (c *checker) published(ctx context.Context, client *directory.Client) {
	const subject = "published CA"
	_, certs, err := c.issuing()
	if err != nil {
		c.say(subject, Skipped, "", "%v", err)
		return
	}
	have, err := client.Published(ctx)
	if err != nil {
		c.say(subject, Problem, "", "%v", err)
		return
	}
	may, err := client.Writable(ctx)
	if err != nil {
		c.say(subject, Problem, "", "%v", err)
		return
	}
	look := func(name string, wanted *x509.Certificate, list []*x509.Certificate, writable bool) {
		if wanted == nil {
			return
		}
		for _, cert := range list {
			if cert.Equal(wanted) {
				c.say(subject+" in "+name, OK, "", "%s", wanted.Subject)
				return
			}
		}
		fix := "rolecalld ad publish " + c.Directory.ID
		if !writable {
			fix += " --admin-user ADMINISTRATOR, or delegate the right to write there to the directory's account"
		}
		c.say(subject+" in "+name, Problem, fix, "%s is not there", wanted.Subject)
	}
	look("NTAuthCertificates", certs[0], have.NTAuth, may.NTAuth)
	look("Certification Authorities", root(certs), have.Roots, may.Roots)
	look("AIA", certs[0], have.AIA, may.AIA)
	for _, e := range have.Services {
		if strings.EqualFold(e.Host, c.Directory.PolicyHost) && e.Certificate != nil && e.Certificate.Equal(certs[0]) {
			c.say(subject+" in Enrollment Services", OK, "", "%s on %s", e.Name, e.Host)
			return
		}
	}
	fix := "rolecalld ad publish " + c.Directory.ID
	if !may.Services {
		fix += " --admin-user ADMINISTRATOR"
	}
	c.say(subject+" in Enrollment Services", Warning, fix, "it is not there; the client of Samba 4.17 finds CAs nowhere else")
}

// policy compares a Registry.pol with what is needed. Group policies are files in SYSVOL, which LDAP does not show.
func (c *checker) policy() {
	const subject = "group policy"
	fix := "rolecalld ad policy " + c.Directory.ID + " shows the values and writes them into a Registry.pol"
	want, err := c.Policy(false)
	if err != nil {
		c.say(subject, Problem, "", "%v", err)
		return
	}
	if c.opt.RegistryPol == nil {
		c.say(subject, Skipped, fix, "not looked at: give a policy's Registry.pol with --registry-pol")
		return
	}
	have, err := gpo.Parse(c.opt.RegistryPol)
	if err != nil {
		c.say(subject, Problem, fix, "%v", err)
		return
	}
	if lacks := missing(have, want); len(lacks) > 0 {
		c.say(subject, Problem, fix, "it lacks %s", strings.Join(lacks, ", "))
		return
	}
	c.say(subject, OK, "", "has %s", c.Directory.PolicyServer())
}

// host asks for the policy host's TLS certificate and judges it as a member does, which trusts what the forest publishes
// beside its system's roots.
func (c *checker) host(ctx context.Context, client *directory.Client, reached bool) {
	name := c.Directory.PolicyHost
	subject := "policy host " + name
	address := c.opt.PolicyAddress
	if address == "" {
		address = net.JoinHostPort(name, "443")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} // judged below
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		c.say(subject, Problem, "give it a DNS record and let the server listen on port 443, which clients insist on (--listen :443)", "cannot be reached at %s: %v", address, err)
		return
	}
	defer conn.Close()
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if reached {
		if p, err := client.Published(ctx); err == nil {
			for _, r := range p.Roots {
				roots.AddCert(r)
			}
		}
	}
	between := x509.NewCertPool()
	for _, cert := range shown[1:] {
		between.AddCert(cert)
	}
	_, err = shown[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: c.opt.Now()})
	if err != nil {
		c.say(subject, Problem, "serve it with a certificate that the domain's members trust, such as one of the connector's CA (--tls-cert, --tls-key)", "members would not trust its TLS certificate: %v", err)
		return
	}
	c.say(subject, OK, "", "its TLS certificate is trusted, until %s", shown[0].NotAfter.UTC().Format(time.DateOnly))
}
