package credclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	defaultAttempts = 3
	attemptsLimit   = 10
	backoffBase     = 200 * time.Millisecond
	backoffCap      = 20 * time.Second
	maxBody         = 1 << 20 // of an answer, bytes
)

func maxAttempts(text string) (int, error) {
	if text == "" {
		return defaultAttempts, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, problemf("set AWS_MAX_ATTEMPTS to a number from 1 to 10, or unset it", "AWS_MAX_ATTEMPTS is %q", text)
	}
	return min(n, attemptsLimit), nil
}

// retry makes attempts until one succeeds, fails for good, or time or the number of attempts is used up.
func (c *Client) retry(ctx context.Context, k *call) (*Credentials, error) {
	for attempt := 1; ; attempt++ {
		creds, after, err := c.attempt(ctx, k, attempt)
		if err == nil {
			return creds, nil
		}
		if attempt >= c.maxAttempts || after < 0 {
			return nil, err
		}
		wait := max(backoff(attempt, rand.Int64N), after)
		c.debugf("attempt %d of %d failed (%v), next one in %v", attempt, c.maxAttempts, err, wait.Round(time.Millisecond))
		if c.sleep(ctx, wait) != nil {
			return nil, err // out of time: what went wrong tells more than that
		}
	}
}

// never as the pause before the next attempt means that there is no point in one.
const never = time.Duration(-1)

// attempt makes one exchange. With an error comes the least pause before the next attempt, or [never].
func (c *Client) attempt(ctx context.Context, k *call, n int) (*Credentials, time.Duration, error) {
	r, err := c.sign(ctx, k, n)
	if err != nil {
		return nil, never, err
	}
	c.debugRequest(r, k)
	resp, err := c.http.Do(r)
	if err != nil {
		after := time.Duration(0)
		if permanent(ctx, err) {
			after = never
		}
		return nil, after, connectionError(ctx, k.url.Host, c.cfg.Timeout, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, 0, connectionError(ctx, k.url.Host, c.cfg.Timeout, err)
	}
	if len(body) > maxBody {
		return nil, never, problemf("check the endpoint", "the answer of %s is larger than %d bytes", k.url.Host, maxBody)
	}
	c.debugResponse(resp, body)
	if resp.StatusCode/100 == 2 {
		creds, err := decodeCredentials(body)
		return creds, never, err
	}
	e := decodeError(resp, body)
	e.skew(resp.Header.Get("Date"), c.cfg.Now())
	after := never
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests || throttled(e.Code) {
		after = retryAfter(resp.Header.Get("Retry-After"))
	}
	return nil, after, e
}

func throttled(code string) bool {
	switch code {
	case "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
		"TooManyRequestsException", "SlowDown", "PriorRequestNotComplete", "RequestLimitExceeded":
		return true
	}
	return false
}

// backoff is the pause after attempt n: exponential, with half of it random so that clients drift apart.
func backoff(n int, random func(int64) int64) time.Duration {
	d := min(backoffBase<<min(n-1, 16), backoffCap)
	return d/2 + time.Duration(random(int64(d/2)+1))
}

// retryAfter reads a number of seconds (RFC 9110 §10.2.3), at most backoffCap. Dates are not worth the trouble here.
func retryAfter(text string) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 3600))*time.Second, backoffCap)
}

// permanent reports whether another attempt would fail in the same way.
func permanent(ctx context.Context, err error) bool {
	var (
		verification *tls.CertificateVerificationError
		unknown      x509.UnknownAuthorityError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		dns          *net.DNSError
	)
	switch {
	case ctx.Err() != nil:
		return true
	case errors.As(err, &verification), errors.As(err, &unknown), errors.As(err, &record), errors.As(err, &alert):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound
	}
	return strings.Contains(err.Error(), plainAnswer)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
