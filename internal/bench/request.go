package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

// pool is a set of signed requests as bytes, made anew before the server would refuse them as too old.
type pool struct {
	status int // of a successful answer
	sign   func(now time.Time) ([][]byte, error)

	requests [][]byte
	made     time.Time
}

// requestLife is how old a signed request is used for; a server accepts five minutes.
const requestLife = 2 * time.Minute

// fresh returns the requests, valid for at least two more minutes.
func (p *pool) fresh() ([][]byte, error) {
	if p.requests != nil && time.Since(p.made) < requestLife {
		return p.requests, nil
	}
	now := time.Now()
	requests, err := p.sign(now)
	if err != nil {
		return nil, err
	}
	p.requests, p.made = requests, now
	return requests, nil
}

// distinct is how many different requests a warm pool holds, each with a signature of its own.
const distinct = 64

// sessionPool are CreateSession requests of the given certificates, at least [distinct] of them.
func (t *target) sessionPool(p *pki, leaves []*x509.Certificate) *pool {
	return &pool{status: http.StatusCreated, sign: func(now time.Time) ([][]byte, error) {
		s := sessionSigner{address: t.server.address, ids: t.ids[p.kind], key: p.key, now: now}
		if err := s.signFloor(); err != nil {
			return nil, err
		}
		out := make([][]byte, max(distinct, len(leaves)))
		return out, inParallel(len(out), func(i int) (err error) {
			out[i], err = s.request(leaves[i%len(leaves)], i%distinct)
			return err
		})
	}}
}

// sessionSigner makes CreateSession requests as the official client does: ARNs in the query, options in the body.
type sessionSigner struct {
	address string
	ids     resources
	key     crypto.Signer
	now     time.Time
	floor   [distinct]string // signatures for the bare handler, by body
}

func (s *sessionSigner) unsigned(n int) (*http.Request, []byte, error) {
	query := url.Values{"profileArn": {s.ids.profile}, "roleArn": {s.ids.role}, "trustAnchorArn": {s.ids.anchor}}
	body := fmt.Appendf(nil, `{"durationSeconds":%d}`, 900+n)
	r, err := http.NewRequest(http.MethodPost, "https://"+s.address+"/sessions?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "rolecall-bench")
	return r, body, nil
}

func (s *sessionSigner) signFloor() error {
	return inParallel(distinct, func(n int) error {
		r, body, err := s.unsigned(n)
		if err != nil {
			return err
		}
		digest := floorDigest(r.URL.RequestURI(), body)
		sig, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
		s.floor[n] = hex.EncodeToString(sig)
		return err
	})
}

// request carries the bare handler's signature too, outside of what SigV4 signs: both servers get the same bytes.
func (s *sessionSigner) request(leaf *x509.Certificate, n int) ([]byte, error) {
	r, body, err := s.unsigned(n)
	if err != nil {
		return nil, err
	}
	err = sigv4.SignX509(r, &sigv4.SignX509Input{Signer: s.key, Leaf: leaf, Region: string(region), Time: s.now, Body: body})
	if err != nil {
		return nil, err
	}
	r.Header.Set(signatureHeader, s.floor[n])
	return requestBytes(r)
}

// identityPool are signed GetCallerIdentity requests.
func (t *target) identityPool(c credentials) *pool {
	return &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, distinct)
		return out, inParallel(len(out), func(i int) (err error) {
			out[i], err = identityRequest(t.server.address, c, now.Add(time.Duration(-i)*time.Second))
			return err
		})
	}}
}

func identityRequest(address string, c credentials, at time.Time) ([]byte, error) {
	body := []byte("Action=GetCallerIdentity&Version=2011-06-15")
	r, err := http.NewRequest(http.MethodPost, "https://"+address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("User-Agent", "rolecall-bench")
	sum := sha256.Sum256(body)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Region: string(region), Service: "sts", Time: at, BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, err
	}
	return requestBytes(r)
}

// requestBytes is r as it goes over the wire.
func requestBytes(r *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
