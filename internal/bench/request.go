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
func (t *target) sessionPool(ids resources, key crypto.Signer, leaves []*x509.Certificate) *pool {
	return &pool{status: http.StatusCreated, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, max(distinct, len(leaves)))
		return out, inParallel(len(out), func(i int) (err error) {
			out[i], err = sessionRequest(t.address(), ids, key, leaves[i%len(leaves)], i, now)
			return err
		})
	}}
}

// sessionRequest signs as the official client does: ARNs in the query, options in the body. The header for the bare
// handler is not part of what SigV4 signs, and is there for rolecalld too: both get the same bytes.
func sessionRequest(address string, ids resources, key crypto.Signer, leaf *x509.Certificate, n int, now time.Time) ([]byte, error) {
	query := url.Values{"profileArn": {ids.profile}, "roleArn": {ids.role}, "trustAnchorArn": {ids.anchor}}
	body := fmt.Appendf(nil, `{"durationSeconds":%d}`, 900+n%2700)
	r, err := http.NewRequest(http.MethodPost, "https://"+address+"/sessions?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "rolecall-bench")
	if err := sigv4.SignX509(r, &sigv4.SignX509Input{Signer: key, Leaf: leaf, Region: string(region), Time: now, Body: body}); err != nil {
		return nil, err
	}
	digest := floorDigest(r.URL.RequestURI(), body)
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	r.Header.Set(signatureHeader, hex.EncodeToString(sig))
	return requestBytes(r)
}

// identityPool are signed GetCallerIdentity requests.
func (t *target) identityPool(c credentials) *pool {
	return &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, distinct)
		return out, inParallel(len(out), func(i int) (err error) {
			out[i], err = identityRequest(t.address(), c, now.Add(time.Duration(-i)*time.Second))
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
