//go:build cgo

// Package token uses a PKCS#11 module: it finds a key and its certificate on a token and signs with the key.
//
// It is linked only into rolecall-pkcs11, because it needs cgo and runs foreign code. It answers the requests of package
// wire; it never asks for a PIN itself and never tries one twice, since tokens lock themselves after a few wrong ones.
// Start with [Server]; module.go loads a module, find.go finds objects, identity.go puts a certificate to its key,
// sign.go signs.
package token

import (
	"errors"
	"fmt"
	"io"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/uri"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// maxHandles bounds how many opened keys are kept; the oldest is dropped first.
const maxHandles = 8

// Server answers requests. The zero value is ready.
type Server struct {
	module  *module
	last    int
	open    []*identity
	custody *custody
	wrap    func(api) api // for tests; nil: the module as it is
}

// Serve answers requests from r on w until r ends.
func (s *Server) Serve(r io.Reader, w io.Writer) error {
	defer s.Close()
	for {
		var req wire.Request
		if err := wire.Read(r, &req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := wire.Write(w, s.Answer(&req)); err != nil {
			return err
		}
	}
}

// Close ends all sessions and unloads the module.
func (s *Server) Close() {
	for _, id := range s.open {
		id.close()
	}
	s.open = nil
	if s.custody != nil {
		s.custody.close()
		s.custody = nil
	}
	if s.module != nil {
		s.module.close()
		s.module = nil
	}
}

// Answer carries out one request. Problems are part of the answer.
func (s *Server) Answer(req *wire.Request) *wire.Response {
	resp, err := s.answer(req)
	var need *needPIN
	switch {
	case errors.As(err, &need):
		resp = &wire.Response{Need: need.what, Token: need.token}
	case err != nil:
		resp = &wire.Response{Error: describe(err)}
	}
	resp.Version = wire.Version
	return resp
}

func (s *Server) answer(req *wire.Request) (*wire.Response, error) {
	if req.Version != wire.Version {
		return nil, problem("install rolecall and rolecall-pkcs11 of the same version", "rolecall-pkcs11 speaks version %d of the protocol, rolecall version %d", wire.Version, req.Version)
	}
	switch {
	case req.Custody != nil && req.Open == nil && req.Sign == nil && req.List == nil:
		return s.answerCustody(req.Custody)
	case req.Custody != nil:
	case req.Open != nil && req.Sign == nil && req.List == nil:
		return s.answerOpen(req.Open)
	case req.Sign != nil && req.Open == nil && req.List == nil:
		for _, id := range s.open {
			if id.handle == req.Sign.Handle {
				sig, err := id.sign(req.Sign)
				return &wire.Response{Signature: sig}, err
			}
		}
		return nil, problem("", "the key is no longer open")
	case req.List != nil && req.Open == nil && req.Sign == nil:
		return s.answerList(req.List)
	}
	return nil, problem("", "a request asks for none or several things")
}

// load makes sure that the module which the request names is loaded, and gives the parsed URIs (nil: not given).
func (s *Server) load(o *wire.Open) (cert, key *uri.URI, err error) {
	if cert, err = parse(o.Certificate); err != nil {
		return nil, nil, err
	}
	if key, err = parse(o.PrivateKey); err != nil {
		return nil, nil, err
	}
	path, err := modulePath(o.Module, cert, key)
	if err != nil {
		return nil, nil, err
	}
	if s.module != nil && s.module.path == path {
		return cert, key, nil
	}
	s.Close()
	s.module, err = loadModule(path, s.wrap)
	return cert, key, err
}

func parse(text string) (*uri.URI, error) {
	if text == "" {
		return nil, nil
	}
	u, err := uri.Parse(text)
	if err != nil {
		return nil, problem("write it as in RFC 7512: pkcs11:token=NAME;object=LABEL?module-path=FILE", "the PKCS#11 URI cannot be read: %w", err)
	}
	return u, nil
}

func (s *Server) answerOpen(o *wire.Open) (*wire.Response, error) {
	cert, key, err := s.load(o)
	if err != nil {
		return nil, err
	}
	id, err := s.module.identity(o, cert, key)
	if err != nil {
		return nil, err
	}
	s.last++
	id.handle = s.last
	if len(s.open) == maxHandles {
		s.open[0].close()
		s.open = s.open[1:]
	}
	s.open = append(s.open, id)
	return &wire.Response{Handle: id.handle, Certificates: id.certificates(), PublicKey: id.publicDER, Token: id.session.label}, nil
}

func (s *Server) answerList(o *wire.Open) (*wire.Response, error) {
	cert, _, err := s.load(o)
	if err != nil {
		return nil, err
	}
	if cert == nil {
		return nil, problem("", "a request lists certificates without a URI")
	}
	sessions, err := s.module.sessions(cert)
	if err != nil {
		return nil, err
	}
	resp := &wire.Response{}
	for _, sess := range sessions {
		found, err := sess.certificates(cert)
		if err == nil {
			for _, c := range found {
				resp.Certificates = append(resp.Certificates, c.cert.Raw)
				resp.URIs = append(resp.URIs, fmt.Sprintf("pkcs11:token=%s;serial=%s;object=%s;id=%s;type=cert",
					uri.Encode(sess.label), uri.Encode(sess.serial), uri.Encode(c.label), uri.Encode(c.id)))
			}
		}
		sess.close()
		if err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// needPIN is not an error but a question.
type needPIN struct {
	what  wire.Need
	token string
}

func (n *needPIN) Error() string { return "a PIN is needed" }

// failure is an error with advice.
type failure struct {
	error
	hint  string
	final bool
}

func (f *failure) Unwrap() error { return f.error }

func problem(hint, format string, args ...any) error {
	return &failure{error: fmt.Errorf(format, args...), hint: hint}
}

func describe(err error) *wire.Error {
	e := &wire.Error{Problem: err.Error()}
	var f *failure
	var hinted interface{ Hint() string }
	switch {
	case errors.As(err, &f):
		e.Hint, e.Final = f.hint, f.final
	case errors.As(err, &hinted):
		e.Hint = hinted.Hint()
	}
	var detailed interface{ Details() []string }
	if errors.As(err, &detailed) {
		e.Details = detailed.Details()
	}
	return e
}

// isCode reports whether err is the PKCS#11 return value code.
func isCode(err error, codes ...uint) bool {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if uint(e) == c {
			return true
		}
	}
	return false
}
