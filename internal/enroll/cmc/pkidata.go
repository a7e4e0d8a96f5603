package cmc

import (
	"crypto/x509"
	"encoding/asn1"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
)

// pkiData finds the PKCS #10 in a PKIData (RFC 5272 §3.2.1), and takes its number and the template that the controls name.
func (r *Request) pkiData(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var seq, controls, requests, nested, others cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&controls, cbasn1.SEQUENCE) || !seq.ReadASN1(&requests, cbasn1.SEQUENCE) ||
		!seq.ReadASN1(&nested, cbasn1.SEQUENCE) || !seq.ReadASN1(&others, cbasn1.SEQUENCE) || !seq.Empty() {
		return nil, malformed("the PKIData is damaged")
	}
	if !nested.Empty() || !others.Empty() {
		return nil, malformed("nested messages are not accepted")
	}
	var tagged, request cryptobyte.String
	// RFC 5272 §3.2.1.2.1: TaggedRequest is a CHOICE; [0] is a PKCS #10. MS-WCCE wants exactly one.
	if !requests.ReadASN1(&tagged, explicit(0)) || !requests.Empty() || !tagged.ReadASN1Integer(&r.BodyPartID) ||
		r.BodyPartID < 0 || r.BodyPartID > 1<<32-1 || !tagged.ReadASN1Element(&request, cbasn1.SEQUENCE) || !tagged.Empty() {
		return nil, malformed("the PKIData must hold one PKCS #10 request")
	}
	for count := 0; !controls.Empty(); count++ {
		var control, values cryptobyte.String
		var id asn1.ObjectIdentifier
		var number int64
		if count == maxAttributes || !controls.ReadASN1(&control, cbasn1.SEQUENCE) || !control.ReadASN1Integer(&number) ||
			!control.ReadASN1ObjectIdentifier(&id) || !control.ReadASN1(&values, cbasn1.SET) || !control.Empty() {
			return nil, malformed("a control of the PKIData is damaged")
		}
		if !id.Equal(oidRegInfo()) {
			continue
		}
		var info cryptobyte.String
		if !values.ReadASN1(&info, cbasn1.OCTET_STRING) || !values.Empty() || len(info) > maxText*4 {
			return nil, malformed("the registration information is damaged")
		}
		if r.TemplateName == "" {
			r.TemplateName = registrationTemplate(string(info))
		}
	}
	return request, nil
}

// registrationTemplate finds the template in MS-WCCE 2.2.2.6.3's text "name=value&name=value", values percent-encoded.
func registrationTemplate(text string) string {
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(name), "CertificateTemplate") {
			if plain, err := url.PathUnescape(value); err == nil && utf8.ValidString(plain) {
				return plain
			}
		}
	}
	return ""
}

// csrAttributes is what a PKCS #10's attributes say beside extensions.
type csrAttributes struct {
	renewal  []byte // DER of the certificate to renew
	template string
}

// readAttributes reads the attributes of a request (RFC 2986 §4.1).
func readAttributes(req *x509.CertificateRequest) (csrAttributes, error) {
	var out csrAttributes
	in := cryptobyte.String(req.RawTBSCertificateRequest)
	var seq, list cryptobyte.String
	var version int
	var present bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || !seq.SkipASN1(cbasn1.SEQUENCE) || !seq.SkipASN1(cbasn1.SEQUENCE) ||
		!seq.ReadOptionalASN1(&list, &present, explicit(0)) || !seq.Empty() {
		return out, malformed("the PKCS #10 is damaged")
	}
	for count := 0; !list.Empty(); count++ {
		id, values, ok := readAttribute(&list)
		if !ok || count == maxAttributes {
			return out, malformed("its attributes are damaged or too many")
		}
		switch {
		case id.Equal(oidRenewalCertificate()):
			var cert cryptobyte.String
			if out.renewal != nil || !values.ReadASN1Element(&cert, cbasn1.SEQUENCE) || !values.Empty() {
				return out, hresult.Refuse(hresult.BadRenewal, "The certificate to renew is damaged")
			}
			out.renewal = cert
		case id.Equal(oidNameValuePair()): // MS-WCCE 2.2.2.7.10: SEQUENCE of two BMPStrings
			for !values.Empty() {
				var pair, name, value cryptobyte.String
				if !values.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&name, tagBMP) || !pair.ReadASN1(&value, tagBMP) || !pair.Empty() {
					return out, malformed("a name and value pair is damaged")
				}
				if strings.EqualFold(bmp(name), "CertificateTemplate") && out.template == "" {
					out.template = bmp(value)
				}
			}
		}
	}
	return out, nil
}

// tagBMP is the tag of a BMPString.
const tagBMP = cbasn1.Tag(asn1.TagBMPString)

// bmp reads the content of a BMPString; "" if it is damaged or too long.
func bmp(b []byte) string {
	if len(b)%2 != 0 || len(b) > 2*maxText {
		return ""
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return string(utf16.Decode(units))
}

// templateOf takes the template from the extensions, which are what the client's key has signed: they win over controls
// and attributes. The identifier is that of templates since version 2, the name that of version 1.
func (r *Request) templateOf(req *x509.CertificateRequest) error {
	for _, e := range req.Extensions {
		in := cryptobyte.String(e.Value)
		switch {
		case e.Id.Equal(oidTemplateInfo()):
			var seq cryptobyte.String
			var id asn1.ObjectIdentifier
			if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1ObjectIdentifier(&id) {
				return malformed("the template extension is damaged")
			}
			r.TemplateOID = id.String()
		case e.Id.Equal(oidTemplateName()):
			var text cryptobyte.String
			var tag cbasn1.Tag
			if !in.ReadAnyASN1(&text, &tag) || !in.Empty() || len(text) > 2*maxText {
				return malformed("the template name is damaged")
			}
			name := string(text)
			if tag == tagBMP {
				name = bmp(text)
			}
			if !utf8.ValidString(name) {
				return malformed("the template name is no text")
			}
			r.TemplateName = name
		}
	}
	return nil
}
