package main

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/certsonly"
)

// caStub stands for a CA that is asked by EST or by the API of AWS Private CA. It issues whatever is asked for and writes a
// line about each request; the integration tests have the real ones.
type caStub struct {
	*httptest.Server
	ca     *x509.Certificate
	key    crypto.Signer
	issued []byte // PEM of the last one
	record string // path
}

// startCAStub takes its certificate and key from the fixtures.
func startCAStub(record string) (*caStub, error) {
	pair, err := tls.LoadX509KeyPair(fixtures+"/ca.pem", fixtures+"/ca.key")
	if err != nil {
		return nil, err
	}
	s := &caStub{ca: pair.Leaf, key: pair.PrivateKey.(crypto.Signer), record: record}
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	return s, nil
}

func (s *caStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, token, _ := r.BasicAuth()
	operation, client := path.Base(r.URL.Path), ""
	if operation == "/" {
		operation = strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "ACMPrivateCA.")
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		client = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	line := fmt.Sprintf("%s token=%s client=%s", operation, token, client)
	switch operation {
	case "cacerts":
		s.certificates(w, s.ca)
	case "simpleenroll", "simplereenroll":
		csr, _ := base64.StdEncoding.DecodeString(string(body))
		made := s.issue(csr, 30)
		line += fmt.Sprintf(" subject=%s names=%s key=%s", made.Subject, made.DNSNames, made.PublicKeyAlgorithm)
		s.certificates(w, made)
	case "DescribeCertificateAuthority":
		io.WriteString(w, `{"CertificateAuthority":{"CertificateAuthorityConfiguration":{"SigningAlgorithm":"SHA256WITHECDSA"}}}`)
	case "IssueCertificate":
		var in struct {
			Csr                                                    []byte
			CertificateAuthorityArn, SigningAlgorithm, TemplateArn string
			Validity                                               struct{ Value int }
		}
		if err := json.Unmarshal(body, &in); err != nil {
			panic(err)
		}
		block, _ := pem.Decode(in.Csr)
		made := s.issue(block.Bytes, in.Validity.Value)
		line += fmt.Sprintf(" ca=%s algorithm=%s template=%s days=%d subject=%s", in.CertificateAuthorityArn, in.SigningAlgorithm, in.TemplateArn, in.Validity.Value, made.Subject)
		io.WriteString(w, `{"CertificateArn":"arn:x"}`)
	case "GetCertificate":
		_ = json.NewEncoder(w).Encode(map[string]string{"Certificate": string(s.issued), "CertificateChain": certificatePEM(s.ca.Raw)})
	default:
		http.NotFound(w, r)
	}
	f, err := os.OpenFile(s.record, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

func (s *caStub) issue(der []byte, days int) *x509.Certificate {
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		panic(err)
	}
	made, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: csr.Subject, DNSNames: csr.DNSNames,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Duration(days) * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s.ca, csr.PublicKey, s.key)
	if err != nil {
		panic(err)
	}
	s.issued = []byte(certificatePEM(made))
	leaf, err := x509.ParseCertificate(made)
	if err != nil {
		panic(err)
	}
	return leaf
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (s *caStub) certificates(w http.ResponseWriter, c *x509.Certificate) {
	message, err := certsonly.Encode([]*x509.Certificate{c})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/pkcs7-mime; smime-type=certs-only")
	io.WriteString(w, base64.StdEncoding.EncodeToString(message))
}
