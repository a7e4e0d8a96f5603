package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// The goals of IssueCertificate: the server's rate as a part of what one loop in one process reaches that only checks the CSR
// and creates the certificate. The same loop on every CPU at once, and in CPU time, stand beside it: a stricter measure.
var issueGoals = map[keyKind]float64{p256: 0.5, rsa2048: 0.85}

// issue measures IssueCertificate, each durable with its audit event before it is answered, against checking the CSR and
// creating the certificate with the standard library alone.
func (b *bench) issue(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	t := newTable(out, fmt.Sprintf("IssueCertificate over %d connections of keep-alive TLS, against checking the CSR and creating the certificate in one process", b.options.conns),
		"CA, certificates in the store", "certs/s", "one loop/s", "ratio", "all CPUs/s", "ratio to it", "CPU µs/cert", "floor CPU µs", "floor ÷ CPU", "client µs/cert", "idle CPUs", "fdatasync µs")
	for at, filled := range b.options.issued {
		for _, kind := range []keyKind{p256, rsa2048} {
			say("IssueCertificate %s, %d certificates in the store", kind, filled)
			ca, err := b.target.privateCA(ctx, kind)
			if err != nil {
				return err
			}
			if filled > 0 {
				if err := b.target.fillIssued(ctx, ca.arn, filled); err != nil {
					return err
				}
			}
			alone, err := issueFloor(kind, ca.csr, 1, b.options.time/2)
			if err != nil {
				return err
			}
			floor, err := issueFloor(kind, ca.csr, runtime.NumCPU(), b.options.time/2)
			if err != nil {
				return err
			}
			conns, err := dial(ctx, b.target.server.address, b.options.conns)
			if err != nil {
				return err
			}
			requests := b.target.issuePool(ca)
			if _, err := window(ctx, b.target.server, conns, requests, warmUp, maxRequests); err != nil {
				conns.close()
				return err
			}
			real, err := window(ctx, b.target.server, conns, requests, b.options.time, maxRequests)
			conns.close()
			if err != nil {
				return err
			}
			if at == 0 && b.options.cpuprofile != "" {
				if err := b.profile(ctx, requests, b.options.cpuprofile+".issue."+string(kind), say); err != nil {
					return err
				}
			}
			sync, err := syncTime(b.target.dataDir)
			if err != nil {
				return err
			}
			t.row(fmt.Sprintf("%s, %d", kind, filled), fmt.Sprintf("%.0f", real.rate()), fmt.Sprintf("%.0f", alone.rate), atLeast("%.2f", real.rate()/alone.rate, issueGoals[kind]),
				fmt.Sprintf("%.0f", floor.rate), fmt.Sprintf("%.2f", real.rate()/floor.rate), micros(real.perRequest()), micros(floor.cpu),
				fmt.Sprintf("%.2f", float64(floor.cpu)/float64(real.perRequest())), micros(real.clientPerRequest()), fmt.Sprintf("%.2f", real.idleCPUs()), micros(sync))
		}
	}
	return t.flush()
}

// benchCA is a root CA of the server, and a request for a certificate from it.
type benchCA struct {
	arn, signing string
	csr          []byte
}

// privateCA makes one through the API.
func (t *target) privateCA(ctx context.Context, kind keyKind) (*benchCA, error) {
	algorithm, ca := "EC_prime256v1", &benchCA{signing: "SHA256WITHECDSA"}
	if kind == rsa2048 {
		algorithm, ca.signing = "RSA_2048", "SHA256WITHRSA"
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "host.example.internal"}}, key)
	if err != nil {
		return nil, err
	}
	ca.csr = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	made, err := t.pca(ctx, "CreateCertificateAuthority", map[string]any{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": map[string]any{
		"KeyAlgorithm": algorithm, "SigningAlgorithm": ca.signing, "Subject": map[string]string{"CommonName": "bench " + string(kind)}}})
	if err != nil {
		return nil, err
	}
	ca.arn = made["CertificateAuthorityArn"]
	var csr map[string]string
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if csr, err = t.pca(ctx, "GetCertificateAuthorityCsr", map[string]any{"CertificateAuthorityArn": ca.arn}); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return nil, err
		}
	}
	issued, err := t.pca(ctx, "IssueCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "Csr": []byte(csr["Csr"]), "SigningAlgorithm": ca.signing,
		"TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1", "Validity": map[string]any{"Value": 10, "Type": "YEARS"}})
	if err != nil {
		return nil, err
	}
	got, err := t.pca(ctx, "GetCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "CertificateArn": issued["CertificateArn"]})
	if err != nil {
		return nil, err
	}
	_, err = t.pca(ctx, "ImportCertificateAuthorityCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "Certificate": []byte(got["Certificate"])})
	return ca, err
}

// pca makes one call and returns the texts of its answer.
func (t *target) pca(ctx context.Context, operation string, in map[string]any) (map[string]string, error) {
	answer, err := t.once(ctx, &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		r, err := t.pcaRequest(operation, in, now)
		return [][]byte{r}, err
	}})
	out := map[string]string{}
	if err == nil && len(answer) > 0 {
		err = json.Unmarshal(answer, &out)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	return out, nil
}

func (t *target) pcaRequest(operation string, in map[string]any, at time.Time) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, "https://"+t.server.address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	root, err := t.rootKey()
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "ACMPrivateCA."+operation)
	r.Header.Set("User-Agent", "rolecall-bench")
	sum := sha256.Sum256(body)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey, Region: string(region), Service: "acm-pca", Time: at, BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, err
	}
	return requestBytes(r)
}

// rootKey reads what the first start wrote.
func (t *target) rootKey() (c credentials, err error) {
	text, err := os.ReadFile(filepath.Join(t.dataDir, "root-credentials"))
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		}
	}
	return c, err
}

func (t *target) issuePool(ca *benchCA) *pool {
	return &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, distinct)
		return out, inParallel(len(out), func(i int) (err error) {
			out[i], err = t.pcaRequest("IssueCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "Csr": ca.csr, "SigningAlgorithm": ca.signing,
				"Validity": map[string]any{"Value": 1 + i, "Type": "DAYS"}}, now.Add(time.Duration(-i)*time.Second))
			return err
		})
	}}
}

// fillIssued brings the CA to n more certificates: rows as IssueCertificate makes them.
func (t *target) fillIssued(ctx context.Context, ca string, n int) error {
	id := ca[strings.LastIndexByte(ca, '/')+1:]
	der := make([]byte, 512) // what a small certificate has
	return t.whileStopped(ctx, func(db *store.DB) error {
		for at := 0; at < n; at += 1000 {
			err := db.Update(ctx, func(tx *store.Tx) error {
				for range min(1000, n-at) {
					var serial [16]byte
					rand.Read(serial[:])
					tx.QueueIssuedCertificate(store.IssuedCertificate{Account: account, Region: region, Authority: id, Serial: hex.EncodeToString(serial[:]),
						Template: "EndEntityCertificate/V1", DER: der, IssuedAt: tx.Now, NotAfter: tx.Now.AddDate(0, 0, 30)})
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// issueCost is what the standard library alone takes.
type issueCost struct {
	rate float64
	cpu  time.Duration // for each
}

// issueFloor parses and checks the request and creates a certificate for it, in so many loops at once, for d.
func issueFloor(kind keyKind, csr []byte, loops int, d time.Duration) (issueCost, error) {
	key, algorithm := crypto.Signer(nil), x509.ECDSAWithSHA256
	var err error
	if kind == rsa2048 {
		algorithm = x509.SHA256WithRSA
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return issueCost{}, err
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "floor"}, PublicKey: key.Public(), SubjectKeyId: make([]byte, 20)}
	before, err := cpuTime(unix.RUSAGE_SELF)
	if err != nil {
		return issueCost{}, err
	}
	var n atomic.Int64
	start := time.Now()
	var all errgroup.Group
	for range loops {
		all.Go(func() error {
			for time.Since(start) < d {
				if err := issueOnce(csr, parent, key, algorithm); err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
	}
	err = all.Wait()
	wall := time.Since(start)
	after, cpuErr := cpuTime(unix.RUSAGE_SELF)
	if err = errors.Join(err, cpuErr); err != nil {
		return issueCost{}, err
	}
	return issueCost{float64(n.Load()) / wall.Seconds(), (after - before) / time.Duration(max(1, n.Load()))}, nil
}

func issueOnce(csr []byte, parent *x509.Certificate, key crypto.Signer, algorithm x509.SignatureAlgorithm) error {
	block, _ := pem.Decode(csr)
	req, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	if err := req.CheckSignature(); err != nil {
		return err
	}
	var serial [16]byte
	rand.Read(serial[:])
	now := time.Now()
	_, err = x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]), RawSubject: req.RawSubject, NotBefore: now, NotAfter: now.AddDate(0, 0, 1), SignatureAlgorithm: algorithm,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}, parent, req.PublicKey, key)
	return err
}
