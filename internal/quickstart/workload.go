package quickstart

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
)

// The names of the CAs and of the workload. The role's trust policy pins the issuer's.
const (
	rootCN    = "rolecall quickstart root"
	issuerCN  = "rolecall quickstart CA"
	subjectCN = "workload.quickstart.example"
)

// workload is who gets credentials: a key that never leaves its file, and a certificate.
type workload struct{ certFile, keyFile string }

// newWorkload makes the key in dir and the request for its certificate.
func newWorkload(dir string) (w *workload, csr string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: subjectCN, OrganizationalUnit: []string{"Quickstart"}},
		DNSNames: []string{subjectCN},
	}, key)
	if err != nil {
		return nil, "", err
	}
	w = &workload{certFile: filepath.Join(dir, "workload.pem"), keyFile: filepath.Join(dir, "workload.key")}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return w, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})), os.WriteFile(w.keyFile, text, 0o600)
}
