package adclient

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/wstep"
)

const (
	nsTrust   = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
	nsContext = "http://schemas.xmlsoap.org/ws/2006/12/authorization"
	tokenX509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
)

// Issued is a certificate with what its CA sent along.
type Issued struct {
	Leaf  *x509.Certificate
	Chain []*x509.Certificate // in no order; may hold the leaf
}

// service is where the CA takes requests of this client.
func (c *Client) service(ca *CA) (string, error) {
	number, name := c.authentication()
	for _, u := range ca.URIs {
		if u.Authentication == number && !u.RenewalOnly {
			return u.Address, nil
		}
	}
	return "", errors.New("the CA has no enrollment service with the authentication " + name)
}

// Request sends a certificate request (PKCS #10, DER) to a CA's service. template may be ""; then the request names it. A
// request that waits for approval is a *Pending.
func (c *Client) Request(ctx context.Context, service string, csr []byte, template string) (*Issued, error) {
	return c.token(ctx, service, func(w *soap.Writer) {
		w.Leaf("RequestType", nsTrust+"/Issue")
		w.Leaf("BinarySecurityToken", base64.StdEncoding.EncodeToString(csr), "ValueType", soap.NSEnrollment+"#PKCS10",
			"EncodingType", soap.NSSecurity+"#base64binary", "xmlns", soap.NSSecurity)
		if template == "" {
			return
		}
		w.Open("AdditionalContext", "xmlns", nsContext)
		w.Open("ContextItem", "Name", "CertificateTemplate")
		w.Leaf("Value", template)
		w.Close("ContextItem")
		w.Close("AdditionalContext")
	})
}

// Query asks what became of a request that waits.
func (c *Client) Query(ctx context.Context, p *Pending) (*Issued, error) {
	return c.token(ctx, p.URI, func(w *soap.Writer) {
		w.Leaf("RequestType", soap.NSEnrollment+"/QueryTokenStatus")
		w.Leaf("RequestID", p.RequestID, "xmlns", soap.NSEnrollment)
	})
}

func (c *Client) token(ctx context.Context, service string, request func(w *soap.Writer)) (*Issued, error) {
	body, err := c.call(ctx, service, wstep.Action, wstep.ActionResponse, func(w *soap.Writer) {
		w.Open("RequestSecurityToken", "xmlns", nsTrust)
		w.Leaf("TokenType", tokenX509)
		request(w)
		w.Close("RequestSecurityToken")
	})
	if err != nil {
		return nil, err
	}
	issued, err := readIssued(body, service)
	var pending *Pending
	if err != nil && !errors.As(err, &pending) {
		return nil, unreachable("%s: %w", service, err)
	}
	return issued, err
}

// readIssued reads a RequestSecurityTokenResponseCollection (MS-WSTEP 3.1.4.1.1.2) that service answered with.
func readIssued(body *soap.Element, service string) (*Issued, error) {
	if body.Name.Space != nsTrust || body.Name.Local != "RequestSecurityTokenResponseCollection" {
		return nil, errors.New("the answer is no RequestSecurityTokenResponseCollection")
	}
	response, err := body.Child(nsTrust, "RequestSecurityTokenResponse")
	if err != nil || response == nil {
		return nil, errors.New("the answer holds no single response")
	}
	requested, err := response.Child(nsTrust, "RequestedSecurityToken")
	if err != nil || requested == nil {
		return nil, errors.New("the answer holds no token")
	}
	leaf, err := binary(requested)
	if err != nil {
		return nil, err
	}
	if leaf == nil {
		id, err := response.ChildText(soap.NSEnrollment, "RequestID")
		if err != nil || id == "" || len(id) > 64 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("the answer holds neither a certificate nor a request's number")
		}
		return nil, &Pending{RequestID: id, URI: service} // the reference in the answer names the same service
	}
	issued := &Issued{}
	if issued.Leaf, err = x509.ParseCertificate(leaf); err != nil {
		return nil, errors.New("the certificate in the answer is not readable")
	}
	all, err := binary(response)
	if err != nil || all == nil {
		return issued, err
	}
	issued.Chain, err = certificates(all)
	return issued, err
}

// binary is the content of the only BinarySecurityToken in e, nil if there is none.
func binary(e *soap.Element) ([]byte, error) {
	text, err := e.ChildText(soap.NSSecurity, "BinarySecurityToken")
	if err != nil || text == "" {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("a token in the answer is not in base64")
	}
	return der, nil
}

// maxChain bounds the certificates of a message.
const maxChain = 20

var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// certificates takes the certificates out of a CMS SignedData (RFC 5652 §5.1). Nothing is verified: whether they are good for
// something is decided by their signatures.
func certificates(der []byte) ([]*x509.Certificate, error) {
	bad := errors.New("the PKCS #7 message is not readable")
	in := cryptobyte.String(der)
	var info, content, signed, bundle cryptobyte.String
	var kind asn1.ObjectIdentifier
	var version int
	var found bool
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidSignedData) || !info.ReadASN1(&content, explicit) ||
		!content.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.ReadASN1Integer(&version) || !signed.SkipASN1(cbasn1.SET) ||
		!signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&bundle, &found, explicit) {
		return nil, bad
	}
	var list []*x509.Certificate
	for !bundle.Empty() {
		var one cryptobyte.String
		if !bundle.ReadASN1Element(&one, cbasn1.SEQUENCE) || len(list) == maxChain {
			return nil, bad
		}
		cert, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, bad
		}
		list = append(list, cert)
	}
	return list, nil
}
