package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the digests that can be asked for
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
)

func signString() command {
	flags := slices.DeleteFunc(keyFlags(), func(f flag) bool { return f.name == flagIntermediates })
	return command{
		name:  "sign-string",
		short: "Sign a fixed text with the private key, to see that the key can be used",
		flags: append(flags,
			flag{name: "format", value: "json", allowed: []string{"json", "text", "bin"}, arg: "FORMAT", help: "json or text (hexadecimal), or bin"},
			flag{name: "digest", value: "SHA256", allowed: []string{"SHA256", "SHA384", "SHA512"}, arg: "DIGEST", help: "SHA256, SHA384 or SHA512"}),
		groups: append(keyGroups(), group{flagNoTPMPassword, flagReusePIN}),
		run:    runSignString,
	}
}

func runSignString(ctx context.Context, p *program, in *inputs) error {
	id, err := p.loadIdentity(ctx, in)
	if err != nil {
		return err
	}
	message, err := testMessage(id.Signer().Public())
	if err != nil {
		return err
	}
	hash := map[string]crypto.Hash{"SHA256": crypto.SHA256, "SHA384": crypto.SHA384, "SHA512": crypto.SHA512}[in.text("digest")]
	h := hash.New()
	h.Write(message)
	sig, err := id.Signer().Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return fmt.Errorf("cannot sign: %w", err)
	}
	switch in.text("format") {
	case "bin":
		return p.output(sig)
	case "text":
		return p.output([]byte(hex.EncodeToString(sig)))
	}
	return p.output([]byte(`"` + hex.EncodeToString(sig) + `"`))
}

// testMessage is the text that the official helper signs: a fixed line, "1" and a hash that binds the public key.
func testMessage(pub crypto.PublicKey) ([]byte, error) {
	var encoded []byte
	switch k := pub.(type) {
	case *rsa.PublicKey:
		encoded = x509.MarshalPKCS1PublicKey(k)
	case *ecdsa.PublicKey:
		var err error
		if encoded, err = k.Bytes(); err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
	default:
		return nil, fmt.Errorf("keys of the kind %T are not supported", pub)
	}
	h := crypto.SHA256.New()
	h.Write([]byte("IAM RA"))
	h.Write(encoded)
	return h.Sum([]byte("AWS Roles Anywhere Credential Helper Signing Test1")), nil
}
