package est

import (
	"bytes"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll/bounds"
)

// request is a certificate request whose sender holds its key, with its names.
type request struct {
	csr   *authority.CSR
	names *bounds.Names
}

// readRequest reads the body: base64 of a PKCS #10, with white space anywhere (RFC 8951 §3.1).
func readRequest(w http.ResponseWriter, r *http.Request, template *authority.Template) (*request, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/pkcs10" {
		return nil, refuse(http.StatusUnsupportedMediaType, "the content type must be application/pkcs10")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, refuse(http.StatusRequestEntityTooLarge, "the request is too large")
		}
		return nil, refuse(http.StatusBadRequest, "the request could not be read")
	}
	der, err := decode(body)
	if err != nil {
		return nil, err
	}
	return parseRequest(der, template, r.TLS)
}

func decode(body []byte) ([]byte, error) {
	text := bytes.Map(func(c rune) rune {
		if strings.ContainsRune(" \t\r\n", c) {
			return -1
		}
		return c
	}, body)
	der := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(der, text)
	if err != nil || n == 0 {
		return nil, refuse(http.StatusBadRequest, "the request is not a PKCS #10 in base64")
	}
	return der[:n], nil
}

// parseRequest checks what is the same for every client: proof of possession, key, extensions, the link to the connection.
func parseRequest(der []byte, template *authority.Template, state *tls.ConnectionState) (*request, error) {
	csr, err := authority.ParseCSR(pemOf(der))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, err.Error())
	}
	req := csr.Request()
	var alternatives []byte
	for _, e := range req.Extensions {
		if e.Id.Equal(oidAlternatives()) {
			alternatives = e.Value
			continue
		}
		if why := unwanted(e.Id, e.Value, template); why != "" {
			return nil, refuse(http.StatusBadRequest, why)
		}
	}
	names, err := bounds.ReadNames(req.RawSubject, alternatives)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, err.Error())
	}
	if err := checkLink(req, state); err != nil {
		return nil, err
	}
	return &request{csr, names}, nil
}

func oidAlternatives() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 29, 17} }

// unwanted says why an extension cannot be had; "" for what the template grants anyway or what asks for nothing. The
// certificate's extensions come from the template alone: a request for others is refused rather than passed over.
func unwanted(id asn1.ObjectIdentifier, value []byte, template *authority.Template) string {
	s := cryptobyte.String(value)
	var content cryptobyte.String
	switch id.String() {
	case "2.5.29.14": // subject key identifier: the CA's own is used
		return ""
	case "2.5.29.19":
		var ca bool
		if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() {
			return "the basic constraints are malformed"
		}
		if !content.Empty() && (!content.ReadASN1Boolean(&ca) || ca || !content.Empty()) {
			return "a CA certificate cannot be enrolled"
		}
		return ""
	case "2.5.29.15":
		var bits asn1.BitString
		if !s.ReadASN1BitString(&bits) || !s.Empty() {
			return "the key usage is malformed"
		}
		for i := range bits.BitLength {
			// digitalSignature, and what key exchange needs: the template decides which of them the certificate has.
			if bits.At(i) != 0 && i != 0 && i != 2 && i != 4 {
				return fmt.Sprintf("the key usage bit %d is not allowed", i)
			}
		}
		return ""
	case "2.5.29.37":
		if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() {
			return "the extended key usage is malformed"
		}
		for !content.Empty() {
			var usage asn1.ObjectIdentifier
			if !content.ReadASN1ObjectIdentifier(&usage) {
				return "the extended key usage is malformed"
			}
			if !grants(template, usage.String()) {
				return "the extended key usage " + usage.String() + " is not allowed"
			}
		}
		return ""
	}
	return "the extension " + id.String() + " is not allowed"
}

// The purposes of TLS.
const (
	serverAuth = "1.3.6.1.5.5.7.3.1"
	clientAuth = "1.3.6.1.5.5.7.3.2"
)

// grants reports whether certificates of the template have the purpose.
func grants(template *authority.Template, usage string) bool {
	switch template.Name() {
	case "EndEntityCertificate":
		return usage == serverAuth || usage == clientAuth
	case "EndEntityClientAuthCertificate":
		return usage == clientAuth
	case "EndEntityServerAuthCertificate":
		return usage == serverAuth
	}
	return false
}

// TemplateAllowed reports whether profiles may use the template: those of end entities that take nothing from requests but
// names.
func TemplateAllowed(template *authority.Template) bool {
	return grants(template, serverAuth) || grants(template, clientAuth)
}

// checkLink holds a challenge password against the connection (RFC 7030 §3.5): a request that is bound to a connection is
// good on no other one. tls-unique does not exist in TLS 1.3; tls-exporter takes its place (RFC 9266 §3). What fits neither
// is refused, whatever it was meant to be.
func checkLink(req *x509.CertificateRequest, state *tls.ConnectionState) error {
	value, present, err := challengePassword(req)
	if err != nil {
		return refuse(http.StatusBadRequest, "the request's attributes are malformed")
	}
	if !present {
		return nil
	}
	bad := refuse(http.StatusBadRequest, "the request's challenge password does not bind it to this TLS connection: leave it out, or use tls-unique with TLS 1.2 and tls-exporter with TLS 1.3")
	if state == nil {
		return bad
	}
	var bindings [][]byte
	if exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32); err == nil {
		bindings = append(bindings, exported)
	}
	if state.Version < tls.VersionTLS13 && len(state.TLSUnique) > 0 { //nolint:staticcheck // what RFC 7030 asks for
		bindings = append(bindings, state.TLSUnique)
	}
	for _, b := range bindings {
		if subtle.ConstantTimeCompare([]byte(base64.StdEncoding.EncodeToString(b)), []byte(value)) == 1 {
			return nil
		}
	}
	return bad
}

// challengePassword finds the attribute (RFC 2985 §5.4.1). crypto/x509 keeps no attributes of this kind.
func challengePassword(req *x509.CertificateRequest) (value string, present bool, err error) {
	s := cryptobyte.String(req.RawTBSCertificateRequest)
	var tbs, list cryptobyte.String
	var has bool
	bad := errors.New("malformed")
	if !s.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.INTEGER) || !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipASN1(cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&list, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return "", false, bad
	}
	for !list.Empty() {
		var attribute, values, text cryptobyte.String
		var id asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !list.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) {
			return "", false, bad
		}
		if !id.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}) {
			continue
		}
		if present || !attribute.ReadASN1(&values, cbasn1.SET) || !values.ReadAnyASN1(&text, &tag) || !values.Empty() {
			return "", false, bad
		}
		value, present = string(text), true
	}
	return value, present, nil
}

// attributes is what clients are told to put into requests (RFC 7030 §4.5.2): a P-256 key, SHA-256.
func attributes() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1})
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
			})
		})
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
	})
	return b.BytesOrPanic() // constant
}
