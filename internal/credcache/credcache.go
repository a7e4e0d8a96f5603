// Package credcache keeps the credentials of a session on disk between runs of a short-lived program, so that many calls
// make one CreateSession request.
//
// The files are the user's alone: a folder or a file that anyone else could use is not used. What cannot be read is as if
// it were not there; a cache that cannot be used costs a request and never an error. The secrets are in the clear, as they
// are in the AWS CLI's own cache: whoever can read the files as the user can also run the program as the user.
// Start with [Open] and [Cache.Get].
package credcache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/userfile"
)

const (
	maxEntry    = 128 << 10       // bytes; a session token is bounded by some 10 KiB
	lockTime    = 2 * time.Minute // for the request of another process
	retryAfter  = 30 * time.Second
	sharedError = 5 * time.Second // how long a failure is an answer for those that waited for it
)

// Key is everything that credentials depend on. Two calls with one key may have the same credentials.
type Key struct {
	Endpoints   []string
	Region      string
	NoVerifyTLS bool
	RoleARN     string
	ProfileARN  string
	AnchorARN   string
	Duration    int
	SessionName string
	Chain       []string // further roles that are assumed, in order
	Identity    []string // what names the key and, where it can be had cheaply, the certificate's fingerprint
}

// Cache is a folder of entries.
type Cache struct {
	dir string
	now func() time.Time
}

// Folder is the cache's place: XDG_CACHE_HOME/rolecall, or what the system has for it; "" if there is none.
func Folder(getenv func(string) string) string {
	base, sub := getenv("XDG_CACHE_HOME"), []string{}
	if !filepath.IsAbs(base) { // XDG Base Directory Specification: a relative path is to be ignored
		base = getenv("HOME")
		switch runtime.GOOS {
		case "windows":
			base = getenv("LOCALAPPDATA")
		case "darwin":
			sub = []string{"Library", "Caches"}
		default:
			sub = []string{".cache"}
		}
	}
	if !filepath.IsAbs(base) {
		return ""
	}
	return filepath.Join(append(append([]string{base}, sub...), "rolecall", "sessions")...)
}

// Open makes the folder, mode 0700, if need be. A folder that others could use is an error.
func Open(dir string) (*Cache, error) {
	if dir == "" {
		return nil, errors.New("no folder for the cache")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || !userfile.Private(info) {
		return nil, fmt.Errorf("%s is not a folder that only this user can use", dir)
	}
	return &Cache{dir: dir, now: time.Now}, nil
}

// entry is a file of the cache.
type entry struct {
	Key         string // digest
	Credentials *credclient.Credentials
	Obtained    time.Time
	Expires     time.Time

	NotBefore time.Time // of the next early refresh, after one failed
	FailedAt  time.Time
	Failure   string // of a refresh without valid credentials; no secret
	Advice    string
}

func (e *entry) valid(now time.Time) bool { return e.Credentials != nil && now.Before(e.Expires) }

// due reports whether valid credentials are to be replaced. Chance moves the moment, so that not all callers find it due at once.
func (e *entry) due(now time.Time) bool {
	window := credclient.RefreshWindow(e.Expires.Sub(e.Obtained))
	window += time.Duration(rand.Int64N(int64(window/5) + 1))
	return now.After(e.Expires.Add(-window)) && now.After(e.NotBefore)
}

// Failed is the failure of a request that another process made for this one too.
type Failed struct{ Problem, Advice string }

func (e *Failed) Error() string { return e.Problem }

// Hint is what the user can do, or "".
func (e *Failed) Hint() string { return e.Advice }

// Get gives valid cached credentials, or fetches and keeps new ones. Concurrent callers with one key, in any number of
// processes, make one request. Valid credentials that are due are replaced by one caller while the others take them as
// they are, and stay in use if that fails.
func (c *Cache) Get(ctx context.Context, k *Key, fetch func(context.Context) (*credclient.Credentials, error)) (*credclient.Credentials, error) {
	digest := k.digest()
	path := filepath.Join(c.dir, digest)
	began := c.now()
	e := c.read(path, digest)
	if e.valid(began) && !e.due(began) {
		return e.Credentials, nil
	}
	if e.valid(began) {
		lock, ok, err := userfile.TryAcquire(path + ".lock")
		if err != nil || !ok { // somebody is at it
			return e.Credentials, nil
		}
		defer lock.Release()
	} else {
		wait, cancel := context.WithTimeout(ctx, lockTime)
		defer cancel()
		lock, err := userfile.Acquire(wait, path+".lock")
		if err != nil {
			return fetch(ctx) // better one request too many than none
		}
		defer lock.Release()
	}
	e = c.read(path, digest) // as another process may have left it
	switch now := c.now(); {
	case e.valid(now) && !e.due(now):
		return e.Credentials, nil
	case !e.valid(now) && e.Failure != "" && e.FailedAt.After(began) && now.Sub(e.FailedAt) < sharedError:
		return nil, &Failed{e.Failure, e.Advice}
	}
	return c.refresh(ctx, path, digest, e, fetch)
}

// refresh is called with the lock held.
func (c *Cache) refresh(ctx context.Context, path, digest string, old *entry, fetch func(context.Context) (*credclient.Credentials, error)) (*credclient.Credentials, error) {
	creds, err := fetch(ctx)
	now := c.now()
	if err != nil {
		next := *old
		next.NotBefore = now.Add(retryAfter)
		if !old.valid(now) {
			if ctx.Err() != nil {
				return nil, err // given up, which is no answer for others
			}
			next = entry{Failure: err.Error(), FailedAt: now}
			var hinted interface{ Hint() string }
			if errors.As(err, &hinted) {
				next.Advice = hinted.Hint()
			}
		}
		c.write(path, digest, &next)
		if old.valid(now) {
			return old.Credentials, nil
		}
		return nil, err
	}
	if held, err := credclient.Hold(creds, now); err == nil { // what is over by the local clock is passed on and not kept
		c.write(path, digest, &entry{Credentials: creds, Obtained: now, Expires: held.Expires})
	}
	return creds, nil
}

// read gives an empty entry for all that is not a sound one of this user and this key.
func (c *Cache) read(path, digest string) *entry {
	data, info, err := userfile.Read(path, maxEntry)
	if err != nil || !userfile.Private(info) {
		return &entry{}
	}
	e, ok := decode(data)
	if !ok || e.Key != digest {
		return &entry{}
	}
	cr := e.Credentials
	if cr != nil && (cr.AccessKeyID == "" || cr.SecretAccessKey == "" || cr.SessionToken == "" || cr.Expiration == "") {
		return &entry{}
	}
	now := c.now()
	if cr != nil && (e.Obtained.After(now) || !e.Obtained.Before(e.Expires) || !e.expiresAs(cr.Expiration)) {
		return &entry{} // the clock was moved, or the file was
	}
	return e
}

func (e *entry) expiresAs(text string) bool {
	t, err := time.Parse(time.RFC3339, text)
	return err == nil && t.Equal(e.Expires)
}

// write keeps an entry as well as it can: without it the next call makes a request.
func (c *Cache) write(path, digest string, e *entry) {
	e.Key = digest
	if data := e.encode(); len(data) <= maxEntry {
		_ = userfile.Swap(path, data) // as said
	}
}
