package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/certstore"
	"github.com/rolecall/rolecall/internal/keysource/file"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/selector"
	"github.com/rolecall/rolecall/internal/keysource/tpm"
)

// sourceOnce keeps the source of a command line: a PKCS#11 token stays open between loads.
type sourceOnce struct {
	mu     sync.Mutex // guards source
	source keysource.Source
}

// source gives the key source that the flags name, always the same one.
func source(in *inputs) (keysource.Source, error) {
	in.keys.mu.Lock()
	defer in.keys.mu.Unlock()
	if in.keys.source == nil {
		s, err := newSource(in)
		if err != nil {
			return nil, err
		}
		in.keys.source = s
	}
	return in.keys.source, nil
}

// newSource chooses the key source by the flags. It never falls through to another kind than the one that is named.
func newSource(in *inputs) (keysource.Source, error) {
	if in.isSet(flagCertStore) || in.isSet(flagSelector) || in.isSet(flagStoreName) || in.isSet(flagLatest) && in.text(flagCertificate) == "" {
		return storeSource(in)
	}
	cert, key := in.text(flagCertificate), in.text(flagPrivateKey)
	if cert == "" {
		// The official helper would look into the system's certificate store here, which hides a forgotten flag.
		return nil, &problem{"no certificate given", "pass --certificate FILE, and --private-key FILE if the key is not in the same file; the system's certificate store is used with --cert-selector or --system-store-name"}
	}
	certOnToken, keyOnToken := strings.HasPrefix(cert, pkcs11.Prefix), strings.HasPrefix(key, pkcs11.Prefix)
	switch {
	case certOnToken && key != "" && !keyOnToken:
		return nil, &problem{"the certificate is on a PKCS#11 token, and --private-key names a key elsewhere", "leave --private-key out, or put the certificate into a file"}
	case certOnToken || keyOnToken:
		return tokenSource(in, cert, key, certOnToken), nil
	case strings.HasPrefix(cert, tpm.HandlePrefix):
		return nil, &problem{"--certificate names a TPM handle, where there is only a key", "pass --certificate FILE --private-key " + tpm.HandlePrefix + "0x81…"}
	case strings.HasPrefix(key, tpm.HandlePrefix):
		return &tpm.Source{Device: device(in), Handle: key, Certificates: fileSource(in).Certificates}, nil
	}
	return fileSource(in), nil
}

func fileSource(in *inputs) *file.Source {
	d := device(in)
	return &file.Source{
		Certificate: in.text(flagCertificate), PrivateKey: in.text(flagPrivateKey), Intermediates: in.text(flagIntermediates),
		Password: in.secret(flagPassword), TPMKey: d.Key, Stream: in.stream,
	}
}

// device is the TPM that TPM_DEVICE names, as in the official helper.
func device(in *inputs) tpm.Device {
	return tpm.Device{Path: in.secrets.program.getenv("TPM_DEVICE"), Password: in.secret(flagTPMPassword), NoPassword: in.truth(flagNoTPMPassword)}
}

func tokenSource(in *inputs, cert, key string, certOnToken bool) *pkcs11.Source {
	s := &pkcs11.Source{
		PrivateKey: key, Module: in.text(flagPKCS11Lib), ReusePIN: in.truth(flagReusePIN), Latest: in.truth(flagLatest), Stderr: os.Stderr,
	}
	if pin := in.secret(flagPIN); pin != nil {
		s.PIN = func(string) ([]byte, error) { return pin() }
	}
	if !certOnToken {
		s.Certificates = fileSource(in).Certificates
		return s
	}
	s.Certificate = cert
	if path := in.text(flagIntermediates); path != "" {
		s.Intermediates = func(ctx context.Context) ([]*x509.Certificate, error) {
			return (&file.Source{Certificate: path}).Certificates(ctx)
		}
	}
	return s
}

// storeSource chooses among several certificates: those of --cert-store, or of the system's store.
func storeSource(in *inputs) (keysource.Source, error) {
	own := in.isSet(flagCertStore)
	excluded := []string{flagCertificate, flagPrivateKey}
	if own {
		excluded = append(excluded, flagStoreName)
	}
	for _, name := range excluded {
		if !in.isSet(name) {
			continue
		}
		if own {
			return nil, &problem{"--" + flagCertStore + " and --" + name + " name two places", "use one of them"}
		}
		return nil, &problem{"--" + name + " and the system's certificate store are two places", "use one of them"}
	}
	var choice *selector.Selector
	if in.isSet(flagSelector) {
		var err error
		if choice, err = parseSelector(in.text(flagSelector)); err != nil {
			return nil, err
		}
	}
	if !own {
		return &certstore.Source{Name: in.text(flagStoreName), Selector: choice, Latest: in.truth(flagLatest)}, nil
	}
	d := device(in)
	return &file.Store{Path: in.text(flagCertStore), Selector: choice, Latest: in.truth(flagLatest), Password: in.secret(flagPassword), TPMKey: d.Key}, nil
}

func parseSelector(text string) (*selector.Selector, error) {
	path, isFile := strings.CutPrefix(text, "file://")
	if !isFile {
		return selector.Parse(text)
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > selector.MaxText {
		err = fmt.Errorf("%s is larger than %d bytes", path, selector.MaxText)
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, &problem{"cannot read the certificate selector: " + err.Error(), "write file:// and the path of a JSON file"}
	}
	return selector.Parse(string(b))
}

// loadIdentity gets key and certificate and passes the source's warnings on.
func (p *program) loadIdentity(ctx context.Context, in *inputs) (*keysource.Identity, error) {
	src, err := source(in)
	if err != nil {
		return nil, err
	}
	id, err := src.Load(ctx)
	if err != nil {
		return nil, err
	}
	warnings := id.Warnings()
	if w := keysource.Validity(id.Leaf(), time.Now()); w != "" {
		warnings = append(warnings, w)
	}
	for _, w := range warnings {
		p.warn(w)
	}
	return id, nil
}
