package enroll

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll/cmc"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/names"
)

// claims are what decides in a domain whose certificate one is.
type claims struct{ upns, sids []string }

// sidURI begins the alternative name that stands for the SID extension in certificates requested offline (KB5014754).
const sidURI = "tag:microsoft.com,2022-09-14:sid:"

// checkClaims refuses a request for another account's user principal name or SID. They would not be in the certificate, but who
// asks for them is to be noticed. Other names are left out without a word, as AD CS does: certmonger writes what it takes for the
// host's into every request, service names such as host/ws2@REALM among them, and is often wrong. A renewal may repeat what the
// old certificate says, whose holder is checked elsewhere.
func checkClaims(req *cmc.Request, e *directory.Entry) error {
	asked, err := readClaims(req.CSR.Request().Extensions)
	if err != nil {
		return hresult.Refuse(hresult.BadSubject, "The request's alternative names or its SID cannot be read")
	}
	own := names.Principals(e)
	if req.Renews != nil {
		own = append(own, oldNames(req.Renews)...)
	}
	for _, upn := range asked.upns {
		if !strings.Contains(upn, "/") && !slices.ContainsFunc(own, func(n string) bool { return strings.EqualFold(n, upn) }) {
			return hresult.Refuse(hresult.BadSubject, "The request asks for another account's user principal name")
		}
	}
	for _, sid := range asked.sids {
		if !strings.EqualFold(sid, e.SID) {
			return hresult.Refuse(hresult.BadSubject, "The request asks for another account's SID")
		}
	}
	return nil
}

// oldNames are the user principal names of a certificate; none if it cannot be read.
func oldNames(c *x509.Certificate) []string {
	old, err := readClaims(c.Extensions)
	if err != nil {
		return nil
	}
	return old.upns
}

var errClaims = errors.New("malformed")

func readClaims(extensions []pkix.Extension) (*claims, error) {
	c := &claims{}
	for _, e := range extensions {
		var err error
		switch e.Id.String() {
		case "2.5.29.17":
			err = c.alternatives(e.Value)
		case oidSecurity:
			err = c.security(e.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// otherName reads the inside of an OtherName (RFC 5280 §4.2.1.6).
func otherName(in cryptobyte.String) (kind asn1.ObjectIdentifier, value cryptobyte.String, ok bool) {
	ok = in.ReadASN1ObjectIdentifier(&kind) && in.ReadASN1(&value, cbasn1.Tag(0).ContextSpecific().Constructed()) && in.Empty()
	return kind, value, ok
}

// alternatives reads subject alternative names.
func (c *claims) alternatives(der []byte) error {
	in := cryptobyte.String(der)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return errClaims
	}
	for !list.Empty() {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			return errClaims
		}
		switch tag {
		case cbasn1.Tag(6).ContextSpecific():
			if sid, ok := strings.CutPrefix(string(name), sidURI); ok {
				c.sids = append(c.sids, sid)
			}
		case cbasn1.Tag(0).ContextSpecific().Constructed():
			kind, value, ok := otherName(name)
			if !ok {
				return errClaims
			}
			if kind.String() != "1.3.6.1.4.1.311.20.2.3" {
				continue
			}
			var text cryptobyte.String
			if !value.ReadASN1(&text, cbasn1.UTF8String) || !value.Empty() {
				return errClaims
			}
			c.upns = append(c.upns, string(text))
		}
	}
	return nil
}

// security reads the SID extension (MS-WCCE 2.2.2.7.7.4).
func (c *claims) security(der []byte) error {
	in := cryptobyte.String(der)
	var seq, name, sid cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&name, cbasn1.Tag(0).ContextSpecific().Constructed()) || !seq.Empty() {
		return errClaims
	}
	kind, value, ok := otherName(name)
	if !ok || kind.String() != oidSecurity+".1" || !value.ReadASN1(&sid, cbasn1.OCTET_STRING) || !value.Empty() {
		return errClaims
	}
	c.sids = append(c.sids, string(sid))
	return nil
}
