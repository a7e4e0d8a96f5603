package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sign-string signs a text that names the key, so that the signature is of no use for anything else.
func TestSignString(t *testing.T) {
	block := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(fixtures, name))
		if err != nil {
			t.Fatal(err)
		}
		p, _ := pem.Decode(b)
		return p.Bytes
	}
	for _, kind := range []string{"ec", "rsa"} {
		leaf, err := x509.ParseCertificate(block(kind + ".pem"))
		if err != nil {
			t.Fatal(err)
		}
		// Taken here from the certificate's encoding, not computed by the code under test: the last 65 bytes of a P-256
		// key are its point, and the algorithm of a 2048-bit RSA key takes the first 24.
		spki := leaf.RawSubjectPublicKeyInfo
		if kind == "ec" {
			spki = spki[len(spki)-65:]
		} else {
			spki = spki[24:]
		}
		bind := sha256.Sum256(append([]byte("IAM RA"), spki...))
		message := append([]byte("AWS Roles Anywhere Credential Helper Signing Test1"), bind[:]...)
		algorithms := map[string]map[string]x509.SignatureAlgorithm{
			"ec":  {"": x509.ECDSAWithSHA256, "SHA256": x509.ECDSAWithSHA256, "SHA384": x509.ECDSAWithSHA384, "SHA512": x509.ECDSAWithSHA512},
			"rsa": {"": x509.SHA256WithRSA, "SHA256": x509.SHA256WithRSA, "SHA384": x509.SHA384WithRSA, "SHA512": x509.SHA512WithRSA},
		}[kind]
		for digest, algorithm := range algorithms {
			for _, format := range []string{"", "json", "text", "bin"} {
				args := []string{"sign-string", "--certificate", filepath.Join(fixtures, kind+".pem"),
					"--private-key", filepath.Join(fixtures, kind+".pkcs8.key")}
				if digest != "" {
					args = append(args, "--digest", digest)
				}
				if format != "" {
					args = append(args, "--format", format)
				}
				out, stderr, err := runArgs(args...)
				if err != nil {
					t.Fatalf("%v: %v\n%s", args, err, stderr)
				}
				sig := []byte(out)
				switch format {
				case "", "json":
					if !strings.HasPrefix(out, `"`) || !strings.HasSuffix(out, `"`) {
						t.Errorf("%v: %q is no JSON string", args, out)
					}
					sig = unhex(t, strings.Trim(out, `"`))
				case "text":
					sig = unhex(t, out)
				}
				if err := leaf.CheckSignature(algorithm, message, sig); err != nil {
					t.Errorf("%v: %v", args, err)
				}
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || s != strings.ToLower(s) {
		t.Errorf("%q is not lower-case hexadecimal: %v", s, err)
	}
	return b
}
