//go:build cgo

package token

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"strconv"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/uri"
)

// maxObjects bounds how many objects of one kind are looked at on a token.
const maxObjects = 256

// maxCertificate bounds the size of a certificate on a token, in bytes.
const maxCertificate = 64 << 10

type certificate struct {
	cert  *x509.Certificate
	label string
	id    []byte
}

// find lists the objects of a class that the URI's label and id fit; nil fits all.
func (s *session) find(class uint, u *uri.URI, more ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	template := append([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}, more...)
	if u != nil && u.Object != nil {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, *u.Object))
	}
	if u != nil && u.ID != nil {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, u.ID))
	}
	if err := s.FindObjectsInit(s.handle, template); err != nil {
		return nil, problem("", "the token %q cannot be searched: %w", s.label, err)
	}
	defer func() { _ = s.FindObjectsFinal(s.handle) }()
	var out []pkcs11.ObjectHandle
	for {
		some, _, err := s.FindObjects(s.handle, 64)
		if err != nil {
			return nil, problem("", "the token %q cannot be searched: %w", s.label, err)
		}
		if len(some) == 0 {
			return out, nil
		}
		if out = append(out, some...); len(out) > maxObjects {
			return nil, problem("name one with object= or id= in the URI", "the token %q holds more than %d objects that fit", s.label, maxObjects)
		}
	}
}

// certificates reads the X.509 certificates that the URI fits. What does not parse is left out.
func (s *session) certificates(u *uri.URI) ([]certificate, error) {
	handles, err := s.find(pkcs11.CKO_CERTIFICATE, u, pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509))
	if err != nil {
		return nil, err
	}
	var out []certificate
	for _, h := range handles {
		der := s.attribute(h, pkcs11.CKA_VALUE)
		if len(der) > maxCertificate {
			continue
		}
		c, err := x509.ParseCertificate(bytes.TrimRight(der, "\x00")) // some cards pad it
		if err != nil {
			if c, err = x509.ParseCertificate(der); err != nil {
				continue
			}
		}
		out = append(out, certificate{c, string(s.attribute(h, pkcs11.CKA_LABEL)), s.attribute(h, pkcs11.CKA_ID)})
	}
	return out, nil
}

// attribute reads one attribute; nil when the token does not tell.
func (s *session) attribute(h pkcs11.ObjectHandle, kind uint) []byte {
	list, err := s.GetAttributeValue(s.handle, h, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil || len(list) != 1 {
		return nil
	}
	return list[0].Value
}

func itoa(b byte) string { return strconv.Itoa(int(b)) }

func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
