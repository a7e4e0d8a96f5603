package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// SignX509Input says which certificate signs, for what, and when.
type SignX509Input struct {
	Signer  crypto.Signer // RSA, or ECDSA on P-256, P-384 or P-521; must belong to Leaf
	Leaf    *x509.Certificate
	Chain   []*x509.Certificate // intermediates, any order; sent in X-Amz-X509-Chain when there are any
	Region  string
	Service string // "": rolesanywhere
	Time    time.Time
	Body    []byte // exactly what the request will send
	// Path is the canonical path. "" stands for "/sessions" if the URL's path ends so, whatever prefix an endpoint
	// puts in front of it, and for the URL's path otherwise.
	Path string
}

// SignX509 signs r in place as the official client of IAM Roles Anywhere does: it sets X-Amz-Date, X-Amz-X509,
// X-Amz-X509-Chain and Authorization, and signs all headers but User-Agent, Accept-Encoding, Content-Length and the
// hop-by-hop ones.
func SignX509(r *http.Request, s *SignX509Input) error {
	algorithm, err := s.check(r)
	if err != nil {
		return err
	}
	sc := scope{region: s.Region, service: s.Service}
	if sc.service == "" {
		sc.service = "rolesanywhere"
	}
	amzDate := s.Time.UTC().Format(isoBasic)
	sc.date = amzDate[:8]
	h := ensureHeader(r)
	h.Del("Authorization")
	h.Set("X-Amz-Date", amzDate)
	h.Set("X-Amz-X509", base64.StdEncoding.EncodeToString(s.Leaf.Raw))
	h.Del("X-Amz-X509-Chain")
	if len(s.Chain) > 0 {
		h.Set("X-Amz-X509-Chain", s.chainHeader())
	}
	form := canonical{
		path: s.Path, query: r.URL.RawQuery, host: requestHost(r),
		names: headersToSign(r, false), hash: sha256.Sum256(s.Body),
	}
	if form.path == "" {
		form.path = wirePath(r.URL)
		if strings.HasSuffix(form.path, "/sessions") {
			form.path = "/sessions"
		}
	}
	buf := scratches.Get().(*scratch)
	defer buf.release()
	digest, err := buf.digest(r, &form)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(buf.stringToSign(algorithm, amzDate, &sc, digest))
	// crypto.SHA256 as options selects PKCS #1 v1.5 for RSA and ASN.1 DER for ECDSA.
	sig, err := s.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return err
	}
	h.Set("Authorization", authorization(algorithm, s.Leaf.SerialNumber.String(), &sc, form.names,
		string(appendHex(nil, sig))))
	return nil
}

// check validates s and picks the algorithm that fits the key.
func (s *SignX509Input) check(r *http.Request) (string, error) {
	switch {
	case s.Signer == nil || s.Leaf == nil || s.Leaf.SerialNumber == nil || s.Region == "" || s.Time.IsZero():
		return "", fail(Incomplete, "signing needs a key, a certificate, a region and a time")
	case r.URL == nil || r.URL.Opaque != "":
		return "", fail(Incomplete, "signing needs a URL that is not opaque")
	}
	var algorithm string
	pub := s.Signer.Public()
	switch pub.(type) {
	case *rsa.PublicKey:
		algorithm = AlgorithmX509RSA
	case *ecdsa.PublicKey:
		algorithm = AlgorithmX509ECDSA
	default:
		return "", fail(BadAlgorithm, "the key is neither RSA nor ECDSA")
	}
	if err := (&Claims{Algorithm: algorithm}).checkX509Algorithm(pub); err != nil {
		return "", err
	}
	if own, ok := pub.(interface{ Equal(crypto.PublicKey) bool }); !ok || !own.Equal(s.Leaf.PublicKey) {
		return "", fail(BadAlgorithm, "the key does not belong to the certificate")
	}
	return algorithm, nil
}

func (s *SignX509Input) chainHeader() string {
	var b strings.Builder
	for i, cert := range s.Chain {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return b.String()
}
