package adclient

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Exit codes of a certmonger helper.
const (
	ExitIssued       = 0
	ExitRejected     = 2
	ExitUnreachable  = 3
	ExitUnconfigured = 4
	ExitWaitMore     = 5
	ExitUnsupported  = 6
)

// pollSeconds is when certmonger asks again for a request that a person has to approve.
const pollSeconds = 3600

// maxVariable bounds what certmonger says.
const maxVariable = 256 << 10

// Helper is one call by certmonger (its "external" CAs): the environment says what to do, the answer goes to standard
// output, and the exit code tells how it ended.
type Helper struct {
	// Open makes the client; not every operation needs one.
	Open func() (c *Client, machine bool, err error)
	// Version is shown for IDENTIFY.
	Version string
	Getenv  func(string) string
}

// Run carries out the operation of CERTMONGER_OPERATION. An error comes with its exit code, and its text is for certmonger's
// status, on standard output too.
func (h *Helper) Run(ctx context.Context) (output string, code int, err error) {
	operation := h.Getenv("CERTMONGER_OPERATION")
	switch operation {
	case "IDENTIFY":
		return "rolecall-ad " + h.Version + "\n", ExitIssued, nil
	case "GET-NEW-REQUEST-REQUIREMENTS", "GET-RENEW-REQUEST-REQUIREMENTS":
		return "CERTMONGER_CA_PROFILE\n", ExitIssued, nil
	case "GET-DEFAULT-TEMPLATE": // there is none: what fits everybody does not exist in policies
		return "", ExitIssued, nil
	case "SUBMIT", "", "POLL", "FETCH-ROOTS", "GET-SUPPORTED-TEMPLATES": // certmonger means SUBMIT by nothing
	default:
		return "", ExitUnsupported, nil
	}
	client, machine, err := h.Open()
	if err != nil {
		return "", ExitUnconfigured, err
	}
	switch operation {
	case "POLL":
		output, err = h.poll(ctx, client)
	case "FETCH-ROOTS":
		output, err = h.roots(ctx, client)
	case "GET-SUPPORTED-TEMPLATES":
		output, err = h.templates(ctx, client, machine)
	default:
		output, err = h.submit(ctx, client)
	}
	return outcome(output, err)
}

// outcome chooses the exit code.
func outcome(output string, err error) (string, int, error) {
	var refused *Refused
	var pending *Pending
	var nothing *Unreachable
	switch {
	case err == nil:
		return output, ExitIssued, nil
	case errors.As(err, &pending):
		return fmt.Sprintf("%d\n%s %s\n", pollSeconds, pending.RequestID, pending.URI), ExitWaitMore, nil
	case errors.As(err, &refused), errors.Is(err, ErrNoTemplate):
		return "", ExitRejected, err
	case errors.As(err, &nothing):
		return "", ExitUnreachable, err
	}
	return "", ExitUnconfigured, err
}

func (h *Helper) submit(ctx context.Context, c *Client) (string, error) {
	text := h.Getenv("CERTMONGER_CSR")
	block, _ := pem.Decode([]byte(text))
	if len(text) > maxVariable || block == nil || !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") {
		return "", errors.New("CERTMONGER_CSR holds no certificate request")
	}
	policies, err := c.Policies(ctx)
	if err != nil {
		return "", err
	}
	ca, name := 0, h.Getenv("CERTMONGER_CA_PROFILE")
	if name != "" {
		t, err := policies.Template(name)
		if err != nil {
			return "", err
		}
		if len(t.CAs) == 0 {
			return "", fmt.Errorf("%s: %w: no CA issues it", name, ErrNoTemplate)
		}
		name, ca = t.Name, t.CAs[0]
	}
	if len(policies.CAs) == 0 {
		return "", fmt.Errorf("the policies have no CA: %w", ErrNoTemplate)
	}
	service, err := c.service(&policies.CAs[ca])
	if err != nil {
		return "", err
	}
	issued, err := c.Request(ctx, service, block.Bytes, name)
	if err != nil {
		return "", err
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || !bytes.Equal(request.RawSubjectPublicKeyInfo, issued.Leaf.RawSubjectPublicKeyInfo) || issued.Leaf.CheckSignatureFrom(policies.CAs[ca].Certificate) != nil {
		return "", unreachable("%s: the certificate that came is not for the key, or not from the CA of the policy", service)
	}
	return string(encode(issued.Leaf)), nil
}

func (h *Helper) poll(ctx context.Context, c *Client) (string, error) {
	id, uri, ok := strings.Cut(strings.TrimSpace(h.Getenv("CERTMONGER_CA_COOKIE")), " ")
	if !ok || len(id)+len(uri) > 4096 {
		return "", errors.New("CERTMONGER_CA_COOKIE is not of this program")
	}
	issued, err := c.Query(ctx, &Pending{RequestID: id, URI: uri})
	if err != nil {
		return "", err
	}
	return string(encode(issued.Leaf)), nil
}

// roots prints certificates, each after a line with a name for it: the roots, an empty line, and the other CAs.
func (h *Helper) roots(ctx context.Context, c *Client) (string, error) {
	policies, err := c.Policies(ctx)
	if err != nil {
		return "", err
	}
	var roots, others strings.Builder
	seen := map[string]bool{}
	for i := range policies.CAs {
		for _, cert := range c.Authorities(ctx, &policies.CAs[i]) {
			if seen[string(cert.Raw)] {
				continue
			}
			seen[string(cert.Raw)] = true
			to := &others
			if selfSigned(cert) {
				to = &roots
			}
			fmt.Fprintf(to, "%s\n%s", nickname(cert), encode(cert))
		}
	}
	if others.Len() == 0 {
		return roots.String(), nil
	}
	if roots.Len() == 0 { // certmonger keeps only what it may trust
		return others.String(), nil
	}
	return roots.String() + "\n" + others.String(), nil
}

func nickname(c *x509.Certificate) string {
	name := c.Subject.CommonName
	if name == "" {
		name = c.Subject.String()
	}
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, name)), " ")
}

// templates prints the templates that the caller may enroll for automatically: samba-gpupdate requests all that are printed.
// It splits at white space, so that names with spaces would be several.
func (h *Helper) templates(ctx context.Context, c *Client, machine bool) (string, error) {
	policies, err := c.Policies(ctx)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range policies.Templates {
		if t := &policies.Templates[i]; t.Enroll && t.AutoEnroll && t.Machine == machine && !strings.ContainsAny(t.Name, " \t\r\n,") {
			b.WriteString(t.Name + "\n")
		}
	}
	return b.String(), nil
}
