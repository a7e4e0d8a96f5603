package wstep

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

func request(inside string) []byte {
	return []byte(`<s:Envelope xmlns:s="` + soap.NSEnvelope + `"><s:Body><RequestSecurityToken xmlns="` + nsTrust + `" xmlns:e="` + soap.NSEnrollment + `" xmlns:o="` + soap.NSSecurity + `" xmlns:ac="` + nsContext + `">` +
		inside + `</RequestSecurityToken></s:Body></s:Envelope>`)
}

func read(data []byte) (*Request, error) {
	m, err := soap.Read(data)
	if err != nil {
		return nil, err
	}
	return ReadRequest(m.Body)
}

const issue = "<RequestType>" + nsTrust + "/Issue</RequestType>"

func context(name, value string) string {
	return `<ac:ContextItem Name="` + name + `"><ac:Value>` + value + `</ac:Value></ac:ContextItem>`
}

func TestReadRequest(t *testing.T) {
	token := "<o:BinarySecurityToken>\r\n AQ\n ID </o:BinarySecurityToken>"
	r, err := read(request("<TokenType>" + tokenX509 + "</TokenType>" + issue + token + "<ac:AdditionalContext>" + context("ccm", "x") + context("certificatetemplate", "User") + "</ac:AdditionalContext>"))
	if err != nil || r.Type != Issue || !bytes.Equal(r.Token, []byte{1, 2, 3}) || r.Template != "User" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = read(request("<RequestType>" + soap.NSEnrollment + "/QueryTokenStatus</RequestType><e:RequestID>7</e:RequestID>")); err != nil || r.Type != QueryStatus || r.RequestID != "7" {
		t.Errorf("%+v, %v", r, err)
	}
	for name, tc := range map[string]struct {
		inside string
		want   hresult.Code // 0: a message that is not a request at all
	}{
		"no type":               {token, hresult.InvalidArgument},
		"KET":                   {"<RequestType>" + nsTrust + "/KET</RequestType>", hresult.NotImplemented},
		"another token":         {"<TokenType>urn:x</TokenType>" + issue + token, hresult.InvalidArgument},
		"no request":            {issue, hresult.InvalidArgument},
		"empty request":         {issue + "<o:BinarySecurityToken/>", hresult.InvalidData},
		"no base64":             {issue + "<o:BinarySecurityToken>*</o:BinarySecurityToken>", hresult.InvalidData},
		"two requests":          {issue + token + token, 0},
		"elements in a request": {issue + "<o:BinarySecurityToken>AQID<a/></o:BinarySecurityToken>", hresult.InvalidArgument},
		"two templates":         {issue + token + "<ac:AdditionalContext>" + context("CertificateTemplate", "A") + context("CertificateTemplate", "B") + "</ac:AdditionalContext>", hresult.TypeConflict},
		"query without an id":   {"<RequestType>" + soap.NSEnrollment + "/QueryTokenStatus</RequestType>", hresult.InvalidArgument},
	} {
		r, err := read(request(tc.inside))
		e := hresult.Of(err)
		if err == nil || tc.want != 0 && (e == nil || e.Code != tc.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(request(issue + "<o:BinarySecurityToken>AQID</o:BinarySecurityToken><ac:AdditionalContext>" + context("CertificateTemplate", "A") + "</ac:AdditionalContext>"))
	f.Add(request("<RequestType>" + soap.NSEnrollment + "/QueryTokenStatus</RequestType><e:RequestID>7</e:RequestID>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := read(data)
		if err != nil {
			return
		}
		if r.Type == Issue && len(r.Token) == 0 || r.Type == QueryStatus && r.RequestID == "" || len(r.Template) > maxValue {
			t.Fatalf("accepted %+v", r)
		}
		// The answer can be read again, whatever id the client chose.
		if _, err := soap.Read(Write(&Issued{Leaf: r.Token, CMC: r.Token, RequestID: r.RequestID}, r.Template)); err != nil && base64.StdEncoding.EncodedLen(len(r.Token)) < soap.MaxBytes/4 {
			t.Fatal(errors.Join(errors.New("the answer cannot be read"), err))
		}
	})
}
