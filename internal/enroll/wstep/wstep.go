// Package wstep reads and writes MS-WSTEP: WS-Trust requests for X.509 certificates.
//
// What the certificate request inside means is package cmc's business. Start with [ReadRequest] and [Write].
package wstep

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

const (
	nsTrust   = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
	nsContext = "http://schemas.xmlsoap.org/ws/2006/12/authorization"

	// Action is the request's, ActionResponse the answer's.
	Action         = soap.NSEnrollment + "/RST/wstep"
	ActionResponse = soap.NSEnrollment + "/RSTRC/wstep"

	tokenX509   = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	valuePKCS7  = soap.NSSecurity + "#PKCS7"
	encodeBase  = soap.NSSecurity + "#base64binary"
	maxContexts = 32
	maxValue    = 1024
)

// Type is what a request wants.
type Type int

// The types of requests (MS-WSTEP 3.1.4.1.2.8).
const (
	Issue       Type = iota + 1 // a new certificate or a renewal
	QueryStatus                 // what became of an earlier request
)

// Request is a RequestSecurityToken.
type Request struct {
	Type      Type
	Token     []byte // the certificate request; nil for QueryStatus
	RequestID string
	Template  string // the template's name from the additional context; "" if it has none
}

// ReadRequest reads the element inside a request's body. The error is for the client.
func ReadRequest(body *soap.Element) (*Request, error) {
	if body.Name.Space != nsTrust || body.Name.Local != "RequestSecurityToken" {
		return nil, errors.New("wstep: the body is not a RequestSecurityToken")
	}
	token, err := body.ChildText(nsTrust, "TokenType")
	if err != nil {
		return nil, err
	}
	if token != "" && token != tokenX509 {
		return nil, hresult.Refuse(hresult.InvalidArgument, "Only X.509 version 3 tokens are issued")
	}
	kind, err := body.ChildText(nsTrust, "RequestType")
	if err != nil {
		return nil, err
	}
	r := &Request{}
	if r.RequestID, err = body.ChildText(soap.NSEnrollment, "RequestID"); err != nil {
		return nil, err
	}
	switch kind {
	case nsTrust + "/Issue":
		r.Type = Issue
		return r, r.issue(body)
	case soap.NSEnrollment + "/QueryTokenStatus":
		r.Type = QueryStatus
		if r.RequestID == "" {
			return nil, hresult.Refuse(hresult.InvalidArgument, "A status query needs a request id")
		}
		return r, nil
	case nsTrust + "/KET":
		return nil, hresult.Refuse(hresult.NotImplemented, "Key exchange tokens are not issued: no template archives keys")
	}
	return nil, hresult.Refuse(hresult.InvalidArgument, "The request type is not known")
}

func (r *Request) issue(body *soap.Element) error {
	token, err := body.Child(soap.NSSecurity, "BinarySecurityToken")
	if err != nil {
		return err
	}
	if token == nil || len(token.Children) > 0 {
		return hresult.Refuse(hresult.InvalidArgument, "The request holds no certificate request")
	}
	// ValueType says what it is, and not even the specification's own sample says it right: the bytes decide.
	if r.Token, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(token.Text), "")); err != nil || len(r.Token) == 0 {
		return hresult.Refuse(hresult.InvalidData, "The certificate request is not in base64")
	}
	context, err := body.Child(nsContext, "AdditionalContext")
	if err != nil || context == nil {
		return err
	}
	if len(context.Children) > maxContexts {
		return hresult.Refuse(hresult.InvalidArgument, "The additional context is too long")
	}
	for _, item := range context.Children {
		if item.Name.Space != nsContext || item.Name.Local != "ContextItem" || !strings.EqualFold(item.Attr("", "Name"), "CertificateTemplate") {
			continue
		}
		value, err := item.ChildText(nsContext, "Value")
		if err != nil {
			return err
		}
		if len(value) > maxValue || r.Template != "" && r.Template != value {
			return hresult.Refuse(hresult.TypeConflict, "The additional context names more than one template")
		}
		r.Template = value
	}
	return nil
}

// Issued is a certificate to hand out.
type Issued struct {
	Leaf      []byte // DER
	CMC       []byte // the CMC full PKI response
	RequestID string
}

// Write builds the RequestSecurityTokenResponseCollection (MS-WSTEP 3.1.4.1.1.2).
func Write(i *Issued, relatesTo string) []byte {
	var w soap.Writer
	w.Begin(ActionResponse, relatesTo)
	w.Open("RequestSecurityTokenResponseCollection", "xmlns", nsTrust)
	w.Open("RequestSecurityTokenResponse")
	w.Leaf("TokenType", tokenX509)
	w.Leaf("DispositionMessage", "Issued", "xml:lang", "en-US", "xmlns", soap.NSEnrollment)
	w.Leaf("BinarySecurityToken", base64.StdEncoding.EncodeToString(i.CMC), "ValueType", valuePKCS7, "EncodingType", encodeBase, "xmlns", soap.NSSecurity)
	w.Open("RequestedSecurityToken")
	w.Leaf("BinarySecurityToken", base64.StdEncoding.EncodeToString(i.Leaf), "ValueType", tokenX509, "EncodingType", encodeBase, "xmlns", soap.NSSecurity)
	w.Close("RequestedSecurityToken")
	w.Leaf("RequestID", i.RequestID, "xmlns", soap.NSEnrollment)
	w.Close("RequestSecurityTokenResponse")
	w.Close("RequestSecurityTokenResponseCollection")
	return w.End()
}
