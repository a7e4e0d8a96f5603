// Command floor is what credential-process cannot be without: it reads a key and a certificate, signs once with P-256
// and posts once over HTTPS, with no flags, checks or retries. The server refuses its signature; that costs the same.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"os"
)

func main() { // floor URL CERTIFICATE KEY CA
	key, err := x509.ParsePKCS8PrivateKey(block(os.Args[3]))
	check(err)
	body := []byte(`{"durationSeconds":3600}`)
	digest := sha256.Sum256(body)
	sig, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	check(err)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(os.Args[4])
	check(err)
	pool.AppendCertsFromPEM(ca)
	r, err := http.NewRequest(http.MethodPost, os.Args[1]+"/sessions", bytes.NewReader(body))
	check(err)
	r.Header.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(block(os.Args[2])))
	r.Header.Set("Authorization", "AWS4-X509-ECDSA-SHA256 Signature="+hex.EncodeToString(sig))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	resp, err := client.Do(r)
	check(err)
	_, err = io.Copy(os.Stdout, resp.Body)
	check(err)
}

func block(name string) []byte {
	b, err := os.ReadFile(name)
	check(err)
	p, _ := pem.Decode(b)
	return p.Bytes
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
