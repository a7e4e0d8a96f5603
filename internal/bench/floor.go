package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// floorMode as the first argument makes this program the bare handler.
const floorMode = "floor"

// signatureHeader carries the signature that the bare handler verifies.
const signatureHeader = "X-Bench-Signature"

// floorDigest is what that signature is over: less than SigV4 asks for, so that the floor stays a floor.
func floorDigest(uri string, body []byte) [32]byte {
	h := sha256.New()
	io.WriteString(h, uri+"\n") //nolint:errcheck // a hash takes everything
	h.Write(body)
	return [32]byte(h.Sum(nil))
}

// floorHandler reads the request, verifies one signature (none without a key) and answers with size bytes.
func floorHandler(pub crypto.PublicKey, status, size int) http.Handler {
	answer := make([]byte, size)
	for i := range answer {
		answer[i] = 'x'
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
		if err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		if pub != nil {
			sig, err := hex.DecodeString(r.Header.Get(signatureHeader))
			digest := floorDigest(r.RequestURI, body)
			if err != nil || !verify(pub, digest[:], sig) {
				http.Error(w, "bad signature", http.StatusForbidden)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(answer) //nolint:errcheck // nothing to do for a client that left
	})
}

// runFloor serves the bare handler until ctx or stdin ends: with its parent, however that ends.
func runFloor(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	f := flag.NewFlagSet(floorMode, flag.ContinueOnError)
	key := f.String("key", "", "public key, PKIX in base64; none: no signature is checked")
	status := f.Int("status", http.StatusCreated, "status of every answer")
	size := f.Int("size", 0, "length of every answer")
	if err := f.Parse(args); err != nil {
		return err
	}
	var pub crypto.PublicKey
	if *key != "" {
		der, err := base64.StdEncoding.DecodeString(*key)
		if err != nil {
			return err
		}
		if pub, err = x509.ParsePKIXPublicKey(der); err != nil {
			return err
		}
	}
	cert, err := floorCertificate()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{ // the settings of internal/server
		Handler:           floorHandler(pub, *status, *size),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}},
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 1<<20 + 256<<10,
	}
	parentGone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stdin) //nolint:errcheck // any end of it is the end
		close(parentGone)
	}()
	failed := make(chan error, 1)
	go func() { failed <- srv.ServeTLS(l, "", "") }()
	fmt.Fprintf(stdout, "floor: ready on https://%s\n", l.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	case <-parentGone:
	}
	return srv.Close()
}

// floorCertificate is of the kind that rolecalld makes for itself.
func floorCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// startFloor runs this program as the bare handler. A nil key means that it verifies nothing.
func startFloor(ctx context.Context, pub crypto.PublicKey, status, size int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{floorMode, "-status", fmt.Sprint(status), "-size", fmt.Sprint(size)}
	if pub != nil {
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			return nil, err
		}
		args = append(args, "-key", base64.StdEncoding.EncodeToString(der))
	}
	return startChild(ctx, "floor", self, args...)
}
