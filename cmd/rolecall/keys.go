package main

import (
	"context"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

// source chooses the key source by the flags. It never falls through to another kind than the one that is named.
func source(in *inputs) (keysource.Source, error) {
	for _, name := range []string{flagPrivateKey, flagCertificate} {
		switch value := in.text(name); {
		case strings.HasPrefix(value, "pkcs11:"):
			return nil, missingSource("PKCS#11", "--"+name)
		case strings.HasPrefix(value, "handle:"):
			return nil, missingSource("TPM", "--"+name)
		}
	}
	for _, name := range []string{flagSelector, flagStoreName} {
		if in.isSet(name) {
			return nil, missingSource("certificate store", "--"+name)
		}
	}
	if in.text(flagCertificate) == "" {
		if in.isSet(flagLatest) {
			return nil, missingSource("certificate store", "--"+flagLatest)
		}
		// The official helper would look into the system's certificate store here, which hides a forgotten flag.
		return nil, &problem{"no certificate given", "pass --certificate FILE, and --private-key FILE if the key is not in the same file"}
	}
	s := &file.Source{Certificate: in.text(flagCertificate), PrivateKey: in.text(flagPrivateKey), Intermediates: in.text(flagIntermediates)}
	if in.isSet(flagPassword) {
		s.Password = func() ([]byte, error) { return []byte(in.text(flagPassword)), nil }
	}
	return s, nil
}

func missingSource(kind, flag string) error {
	return &problem{
		"the " + kind + " key source, which " + flag + " names, is not in this build",
		"pass a key and a certificate in files with --private-key and --certificate",
	}
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
