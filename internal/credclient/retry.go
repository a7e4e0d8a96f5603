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
	"net/url"
	"slices"
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

// retry makes attempts until one succeeds, fails for good, or time or the number of attempts is used up. Endpoints take
// turns, the one that answered last first, and every one of them gets at least one attempt.
func (c *Client) retry(ctx context.Context, k *call) (*Credentials, error) {
	first := int(k.preferred.Load()) % len(k.urls)
	urls := append(slices.Clone(k.urls[first:]), k.urls[:first]...)
	most := max(c.maxAttempts, len(urls))
	for attempt, i := 1, 0; ; attempt++ {
		u := urls[i]
		creds, after, err := c.attempt(ctx, k, u, attempt, most)
		if err == nil {
			k.preferred.Store(uint32(slices.Index(k.urls, u)))
			return creds, nil
		}
		if after == elsewhere {
			urls = slices.Delete(urls, i, i+1)
		} else {
			i++
		}
		if attempt >= most || after == never || len(urls) == 0 || ctx.Err() != nil {
			return nil, err
		}
		i %= len(urls)
		wait := time.Duration(0) // the next endpoint has not been asked yet: there is nothing to wait for
		if attempt >= len(k.urls) {
			wait = max(backoff(attempt-len(k.urls)+1, rand.Int64N), after)
		}
		c.debugf("attempt %d of %d failed (%v), next one in %v at %s", attempt, most, err, wait.Round(time.Millisecond), urls[i].Host)
		if c.sleep(ctx, wait) != nil {
			return nil, err // out of time: what went wrong tells more than that
		}
	}
}

// In place of a pause before the next attempt.
const (
	never     = time.Duration(-1) // there is no point in one
	elsewhere = time.Duration(-2) // only at another endpoint
)

// attempt makes one exchange. With an error comes the least pause before the next attempt, [never] or [elsewhere].
func (c *Client) attempt(ctx context.Context, k *call, u *url.URL, n, most int) (*Credentials, time.Duration, error) {
	r, err := c.sign(ctx, k, u, n, most)
	if err != nil {
		return nil, never, err
	}
	c.debugRequest(r, k)
	resp, err := c.http.Do(r)
	if err != nil {
		after := time.Duration(0)
		if permanent(ctx, err) {
			after = elsewhere
		}
		return nil, after, connectionError(ctx, u.Host, c.cfg.Timeout, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, 0, connectionError(ctx, u.Host, c.cfg.Timeout, err)
	}
	if len(body) > maxBody {
		return nil, elsewhere, problemf("check the endpoint", "the answer of %s is larger than %d bytes", u.Host, maxBody)
	}
	c.debugResponse(resp, body)
	if resp.StatusCode/100 == 2 {
		creds, err := k.decode(body)
		return creds, elsewhere, err
	}
	e := k.decodeError(resp, body)
	e.skew(resp.Header.Get("Date"), c.cfg.Now())
	return nil, pauseAfter(resp, e), e
}

func pauseAfter(resp *http.Response, e *ServiceError) time.Duration {
	switch {
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, throttled(e.Code):
		return retryAfter(resp.Header.Get("Retry-After"))
	case e.Code == unknownError: // not an answer of Roles Anywhere
		return elsewhere
	}
	return never
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

// Transient reports whether the same request may well succeed later: the server was busy or failing, or could not be
// reached. What a configuration or the server forbids is not.
func Transient(err error) bool {
	var service *ServiceError
	if errors.As(err, &service) {
		return service.Status >= http.StatusInternalServerError || service.Status == http.StatusTooManyRequests || throttled(service.Code)
	}
	var verification *tls.CertificateVerificationError
	var network net.Error
	return !errors.As(err, &verification) &&
		(errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded))
}
