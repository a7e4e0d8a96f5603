package sigv4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultSkew is the clock difference accepted when Check.MaxSkew is 0.
const DefaultSkew = 5 * time.Minute

// Check is what a verifier knows beside the request.
type Check struct {
	Now        time.Time
	MaxSkew    time.Duration // 0: DefaultSkew
	Style      Style
	BodySHA256 [32]byte // of the body as received; ignored in unsigned and streaming payload modes
	// Path replaces the request's path in the canonical request: some clients sign "/sessions" whatever prefix they
	// send it under. Set it only where the route alone decides what is served.
	Path string
	// AlternateHosts are tried, at most 8 of them, if the Host received does not verify: some clients sign the fixed
	// name of the AWS endpoint.
	AlternateHosts []string
	// UnsignedToken accepts an X-Amz-Security-Token that was added after signing. Set it only where the key is
	// derived from the token, so that another token means another key.
	UnsignedToken bool
	// AllowUnsignedPayload accepts UNSIGNED-PAYLOAD and the streaming modes also in the Standard style.
	AllowUnsignedPayload bool
	// PublicKeys verifies in the place of the standard library: something that is prepared for keys that sign often. It
	// must accept exactly the same signatures. Nil for the standard library.
	PublicKeys PublicKeyVerifier
}

// PublicKeyVerifier verifies one signature of a SHA-256 digest, as ecdsa.VerifyASN1 and rsa.VerifyPKCS1v15 do.
type PublicKeyVerifier interface {
	VerifyECDSA(pub *ecdsa.PublicKey, digest, sig []byte) bool
	VerifyRSA(pub *rsa.PublicKey, digest, sig []byte) bool
}

// standardKeys is the PublicKeyVerifier of the standard library.
type standardKeys struct{}

func (standardKeys) VerifyECDSA(pub *ecdsa.PublicKey, digest, sig []byte) bool {
	return ecdsa.VerifyASN1(pub, digest, sig)
}

func (standardKeys) VerifyRSA(pub *rsa.PublicKey, digest, sig []byte) bool {
	return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig) == nil
}

// verifier holds exactly one of a symmetric and a public key.
type verifier struct {
	key *Key
	pub crypto.PublicKey

	keys PublicKeyVerifier // for pub
}

// Verify checks an HMAC signature: time, coverage of headers and query, signature, and the hash of the body unless the
// payload mode leaves it out; a streaming body is checked while it is read through OpenStream. r must be the request
// that was parsed. The error is an *Error.
func (c *Claims) Verify(r *http.Request, key Key, k *Check) error {
	if c.Algorithm != AlgorithmHMAC {
		return fail(BadAlgorithm, "%s is not the algorithm of a secret access key", clip(c.Algorithm))
	}
	if len(c.Signature) != 64 {
		return fail(Incomplete, "the signature is not 64 hexadecimal digits")
	}
	return c.verify(r, &verifier{key: &key}, k)
}

func (c *Claims) verify(r *http.Request, v *verifier, k *Check) error {
	if k == nil || c.amzDate == "" {
		return fail(Incomplete, "the request was not parsed")
	}
	if err := c.checkTime(k); err != nil {
		return err
	}
	if err := c.checkCoverage(r, k); err != nil {
		return err
	}
	payload, err := c.payload(k)
	if err != nil {
		return err
	}
	if err := c.tryForms(r, v, k, payload); err != nil {
		return err
	}
	if payload != "" && payloadMode(payload) == PayloadHashed {
		var hash [32]byte
		got, ok := decodeLowerHex(hash[:0], payload)
		if !ok || subtle.ConstantTimeCompare(got, k.BodySHA256[:]) != 1 {
			return fail(PayloadMismatch, "the body received does not have the SHA-256 hash of X-Amz-Content-Sha256")
		}
	}
	return nil
}

// checkTime bounds the request's time on both sides.
func (c *Claims) checkTime(k *Check) error {
	skew := k.MaxSkew
	if skew <= 0 {
		skew = DefaultSkew
	}
	life := skew
	if c.Presigned {
		if c.Expires == 0 && k.Style == S3 {
			return fail(Incomplete, "AWS query-string parameters must include 'X-Amz-Expires'.")
		}
		if c.Expires > 0 {
			life = c.Expires
		}
	}
	ahead := c.Time.Sub(k.Now)
	now, off := k.Now.UTC().Format, ahead.Abs().Round(time.Second)
	switch {
	case ahead > skew:
		return fail(Expired, "Signature not yet current: %s is still later than %s (%s + %s.): the request's time is %s ahead",
			c.amzDate, k.Now.UTC().Add(skew).Format(isoBasic), now(isoBasic), minutes(skew), off)
	case -ahead > life && c.Presigned && c.Expires > 0:
		return fail(Expired, "Request has expired: the URL was valid for %s from %s and expired %s ago",
			c.Expires, c.amzDate, (-ahead - life).Round(time.Second))
	case -ahead > life:
		return fail(Expired, "Signature expired: %s is now earlier than %s (%s - %s.): the request's time is %s behind",
			c.amzDate, k.Now.UTC().Add(-skew).Format(isoBasic), now(isoBasic), minutes(skew), off)
	}
	return nil
}

func minutes(d time.Duration) string {
	if d%time.Minute != 0 {
		return d.String()
	}
	return strings.TrimSuffix(d.String(), "m0s") + " min"
}

// checkCoverage refuses a request with a header that changes its meaning and is not signed: host, the date, and every
// x-amz-* header present. Presigned or not, X509 or not, no x-amz-* header is exempt; amz-sdk-* has another prefix.
func (c *Claims) checkCoverage(r *http.Request, k *Check) error {
	if !c.signed("host") {
		return fail(UnsignedHeader, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if c.dateHeader != "" && !c.signed(c.dateHeader) {
		return fail(UnsignedHeader, "the header %s must be signed", c.dateHeader)
	}
	for name := range r.Header {
		if !hasAmzPrefix(name) || c.signed(name) {
			continue
		}
		if k.UnsignedToken && equalFold(name, "x-amz-security-token") {
			continue
		}
		return fail(UnsignedHeader, "the header %s is present and must be signed", clip(strings.ToLower(name)))
	}
	if c.X509() && !c.signed("x-amz-x509") {
		return fail(UnsignedHeader, "the header x-amz-x509 must be present and signed")
	}
	return nil
}

// signed reports whether a header, in any case, is among the signed ones.
func (c *Claims) signed(name string) bool {
	for _, s := range c.SignedHeaders {
		if equalFold(name, s) {
			return true
		}
	}
	return false
}

// tryForms tries the canonical forms under which clients sign the same request. Each of them binds the whole request;
// nearly always the first fits.
func (c *Claims) tryForms(r *http.Request, v *verifier, k *Check, payload string) error {
	s := scratches.Get().(*scratch)
	defer s.release()
	var ok bool
	if s.sig, ok = decodeLowerHex(s.sig[:0], c.Signature); !ok {
		return fail(Incomplete, "the signature is not lower-case hexadecimal")
	}
	form := canonical{
		style: k.Style, path: k.Path, query: r.URL.RawQuery, presigned: c.Presigned,
		names: c.SignedHeaders, payload: payload, hash: k.BodySHA256,
	}
	if form.path == "" {
		form.path = wirePath(r.URL)
	}
	tokenAfter := k.UnsignedToken && c.queryToken
	for i := -2; i < min(len(k.AlternateHosts), maxHosts); i++ {
		host, ok := candidateHost(r.Host, k.AlternateHosts, i)
		if !ok {
			continue
		}
		form.host = host
		for _, form.asSent = range [...]bool{false, true} {
			if form.asSent && (form.style == S3 || normalised(form.path)) {
				break // the two forms are one
			}
			for _, form.skipToken = range [...]bool{false, true} {
				if form.skipToken && !tokenAfter {
					break
				}
				ok, err := c.tryForm(r, v, s, &form)
				if ok || err != nil {
					return err
				}
			}
		}
	}
	return fail(Mismatch, "The request signature we calculated does not match the signature you provided.")
}

// candidateHost is the Host received (-2), the same without a default port, which some clients send and do not sign
// (-1), or an alternate.
func candidateHost(received string, alternates []string, i int) (string, bool) {
	switch {
	case i == -2:
		return received, true
	case i == -1:
		bare := strings.TrimSuffix(strings.TrimSuffix(received, ":443"), ":80")
		return bare, bare != received
	default:
		return alternates[i], alternates[i] != received && !slices.Contains(alternates[:i], alternates[i])
	}
}

func (c *Claims) tryForm(r *http.Request, v *verifier, s *scratch, form *canonical) (bool, error) {
	digest, err := s.digest(r, form)
	if err != nil {
		return false, err
	}
	sc := scope{c.Date, c.Region, c.Service}
	sts := s.stringToSign(c.Algorithm, c.amzDate, &sc, digest)
	if v.key != nil {
		mac := hmacSHA256(v.key[:], sts)
		return subtle.ConstantTimeCompare(mac[:], s.sig) == 1, nil
	}
	s.digested = sha256.Sum256(sts)
	return v.public(s.digested[:], s.sig), nil
}
