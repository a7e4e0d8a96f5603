package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// goalLookup is how much more a lookup may cost with the most certificates in the store than with the fewest.
	goalLookup = 1.2
	// askedOnce is how many certificates are asked about, or revoked, for the first time.
	askedOnce = 400
	// askedAgain is how many OCSP requests are sent in a row, twice: the server takes 5,000 at once.
	askedAgain = 2000
)

// lookup measures what the private CA looks up with ever more certificates in the store.
func (b *bench) lookup(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	ca, err := b.target.lookupCA(ctx)
	if err != nil {
		return err
	}
	t := newTable(out, "Looking up certificates of a private CA, one in a hundred of them revoked, by their number in the store: CPU time of each operation, and its ratio to the first row in raw verifications",
		"operation", "certificates", "CPU µs", "ratio", "per second", "raw P-256 µs")
	first := map[string]float64{}
	for _, n := range b.options.rows {
		say("filling the store with %d certificates", n)
		if err := b.target.growIssued(ctx, ca, n, say); err != nil {
			return err
		}
		raw, err := b.primitive.times()
		if err != nil {
			return err
		}
		say("lookups among %d certificates", n)
		costs, err := b.lookups(ctx, ca)
		if err != nil {
			return err
		}
		for _, c := range costs {
			ratio, multiple := "1.00", float64(c.cpu)/float64(raw.p256)
			if at, ok := first[c.name]; !ok {
				first[c.name] = multiple
			} else {
				ratio = atMost("%.2f", multiple/at, goalLookup)
			}
			rate := "-"
			if c.rate > 0 {
				rate = fmt.Sprintf("%.0f", c.rate)
			}
			t.row(c.name, fmt.Sprint(n), micros(c.cpu), ratio, rate, micros(raw.p256))
		}
	}
	return t.flush()
}

// lookupCost is what one operation took.
type lookupCost struct {
	name string
	cpu  time.Duration
	rate float64 // 0 for operations without the server
}

// lookups measures every operation once.
func (b *bench) lookups(ctx context.Context, ca *lookupCA) ([]lookupCost, error) {
	var costs []lookupCost
	asked, revoked := ca.take(askedOnce), ca.take(askedOnce)
	some := ca.take(distinct)
	for _, o := range []struct {
		name string
		pool *pool
		time time.Duration // 0: each request once
		most int64
	}{
		{"GetCertificate", b.target.serialPool(ca, "GetCertificate", some), b.options.time, maxRequests},
		{"OCSP, good, first asked", b.target.ocspPool(ca, asked, nil), 0, askedOnce},
		{"OCSP, good, remembered", b.target.ocspPool(ca, asked, nil), 0, askedAgain},
		{"OCSP, good, with a nonce", b.target.ocspPool(ca, asked, []byte("sixteen bytes ..")), 0, askedAgain},
		{"RevokeCertificate", b.target.serialPool(ca, "RevokeCertificate", revoked), 0, askedOnce},
		{"OCSP, revoked, first asked", b.target.ocspPool(ca, revoked, nil), 0, askedOnce},
		{"IssueCertificate", b.target.issuePool(&ca.benchCA), b.options.time, maxRequests},
	} {
		if err := b.target.checkOCSP(ctx, ca, asked[0], ocsp.Good); err != nil {
			return nil, err
		}
		conns, err := dial(ctx, b.target.server.address, b.options.conns)
		if err != nil {
			return nil, err
		}
		d := o.time
		if d == 0 {
			d = time.Minute // the number of requests ends it
		}
		s, err := window(ctx, b.target.server, conns, o.pool, d, o.most)
		conns.close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.name, err)
		}
		costs = append(costs, lookupCost{o.name, s.perRequest(), s.rate()})
	}
	if err := b.target.checkOCSP(ctx, ca, revoked[0], ocsp.Revoked); err != nil {
		return nil, err
	}
	direct, err := b.target.directLookups(ctx, ca)
	return append(costs, direct...), err
}

// lookupCA is a CA with a responder, and what is known of its certificates.
type lookupCA struct {
	benchCA
	id     string
	cert   *x509.Certificate
	der    []byte // of a certificate of the CA
	serial int    // offset of the 16 bytes of its serial number
	rows   int
	sample []string // serials of some rows that are not revoked
}

// take removes serials from the sample.
func (ca *lookupCA) take(n int) []string {
	taken := ca.sample[:n]
	ca.sample = ca.sample[n:]
	return taken
}

// lookupCA makes the CA and one certificate of it.
func (t *target) lookupCA(ctx context.Context) (*lookupCA, error) {
	made, err := t.privateCA(ctx, p256)
	if err != nil {
		return nil, err
	}
	ca := &lookupCA{benchCA: *made, id: made.arn[len(made.arn)-36:]}
	named := map[string]any{"CertificateAuthorityArn": ca.arn}
	own, err := t.pca(ctx, "GetCertificateAuthorityCertificate", named)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(own["Certificate"]))
	if ca.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, err
	}
	if _, err := t.pca(ctx, "UpdateCertificateAuthority", map[string]any{"CertificateAuthorityArn": ca.arn,
		"RevocationConfiguration": map[string]any{"OcspConfiguration": map[string]any{"Enabled": true, "OcspCustomCname": t.server.address}}}); err != nil {
		return nil, err
	}
	for range 100 { // until a serial has 16 bytes and no more
		issued, err := t.pca(ctx, "IssueCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "Csr": ca.csr, "SigningAlgorithm": ca.signing,
			"Validity": map[string]any{"Value": 365, "Type": "DAYS"}})
		if err != nil {
			return nil, err
		}
		got, err := t.pca(ctx, "GetCertificate", map[string]any{"CertificateAuthorityArn": ca.arn, "CertificateArn": issued["CertificateArn"]})
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode([]byte(got["Certificate"]))
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if bits := cert.SerialNumber.BitLen(); bits > 120 && bits < 128 {
			ca.der, ca.serial = block.Bytes, bytes.Index(block.Bytes, cert.SerialNumber.Bytes())
			return ca, nil
		}
	}
	return nil, errors.New("no serial number of 16 bytes was drawn")
}

// serialPool are requests of an operation that takes a certificate's ARN or its serial.
func (t *target) serialPool(ca *lookupCA, operation string, serials []string) *pool {
	return &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, len(serials))
		return out, inParallel(len(out), func(i int) (err error) {
			in := map[string]any{"CertificateAuthorityArn": ca.arn, "CertificateArn": ca.arn + "/certificate/" + serials[i]}
			if operation == "RevokeCertificate" {
				in = map[string]any{"CertificateAuthorityArn": ca.arn, "CertificateSerial": serials[i], "RevocationReason": "SUPERSEDED"}
			}
			out[i], err = t.pcaRequest(operation, in, now)
			return err
		})
	}}
}

// ocspPool asks about the certificates by POST.
func (t *target) ocspPool(ca *lookupCA, serials []string, nonce []byte) *pool {
	return &pool{status: http.StatusOK, sign: func(time.Time) ([][]byte, error) {
		out := make([][]byte, len(serials))
		return out, inParallel(len(out), func(i int) error {
			number, ok := new(big.Int).SetString(serials[i], 16)
			if !ok {
				return errors.New("not a serial number: " + serials[i])
			}
			der, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: number}, ca.cert, nil)
			if err != nil {
				return err
			}
			if nonce != nil {
				if der, err = withNonce(der, nonce); err != nil {
					return err
				}
			}
			r, err := http.NewRequest(http.MethodPost, "https://"+t.server.address+"/ocsp/"+ca.id, bytes.NewReader(der))
			if err != nil {
				return err
			}
			r.Header.Set("Content-Type", "application/ocsp-request")
			out[i], err = requestBytes(r)
			return err
		})
	}}
}

// checkOCSP waits until the CA's responder says what it should of the certificate.
func (t *target) checkOCSP(ctx context.Context, ca *lookupCA, serial string, want int) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		answer, err := t.once(ctx, t.ocspPool(ca, []string{serial}, []byte("another sixteen.")))
		if err != nil {
			return err
		}
		r, err := ocsp.ParseResponse(answer, ca.cert)
		if err == nil && r.Status == want && hex.EncodeToString(r.SerialNumber.Bytes()) == serial {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("OCSP says %+v of %s: %w", r, serial, errors.Join(err, errors.New("not what it should")))
		}
	}
}
