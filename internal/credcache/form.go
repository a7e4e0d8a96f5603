package credcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

// An entry is a line for its version and a line for each member, in order: text is quoted as in Go, a time is seconds and
// nanoseconds of Unix time. The first use of encoding/json costs more than all else that a cached call does.
const (
	version = "rolecall session 2"
	lines   = 11 // after the version
)

// encode is the form of an entry on disk.
func (e *entry) encode() []byte {
	c := e.Credentials
	if c == nil {
		c = &credclient.Credentials{}
	}
	b := []byte(version + "\n")
	for _, s := range []string{e.Key, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, c.Expiration, e.Failure, e.Advice} {
		b = append(strconv.AppendQuote(b, s), '\n')
	}
	for _, t := range []time.Time{e.Obtained, e.Expires, e.NotBefore, e.FailedAt} {
		b = strconv.AppendInt(b, t.Unix(), 10)
		b = append(strconv.AppendInt(append(b, '.'), int64(t.Nanosecond()), 10), '\n')
	}
	return b
}

// decode reads what encode has written; false: it is something else.
func decode(data []byte) (*entry, bool) {
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	list := strings.Split(string(rest), "\n")
	if string(head) != version || len(list) != lines+1 || list[lines] != "" {
		return nil, false
	}
	e, c := &entry{}, &credclient.Credentials{}
	for i, to := range []*string{&e.Key, &c.AccessKeyID, &c.SecretAccessKey, &c.SessionToken, &c.Expiration, &e.Failure, &e.Advice} {
		s, err := strconv.Unquote(list[i])
		if err != nil {
			return nil, false
		}
		*to = s
	}
	for i, to := range []*time.Time{&e.Obtained, &e.Expires, &e.NotBefore, &e.FailedAt} {
		seconds, nanos, _ := strings.Cut(list[lines-4+i], ".")
		s, err := strconv.ParseInt(seconds, 10, 64)
		n, err2 := strconv.ParseInt(nanos, 10, 64)
		if err != nil || err2 != nil || n < 0 || n >= int64(time.Second) {
			return nil, false
		}
		*to = time.Unix(s, n)
	}
	if *c != (credclient.Credentials{}) {
		e.Credentials = c
	}
	return e, true
}

// digest names the entry. Every member goes into it with its length or its number, so that no two keys look alike.
func (k *Key) digest() string {
	b := []byte(version)
	for _, list := range [][]string{k.Endpoints, {k.Region, strconv.FormatBool(k.NoVerifyTLS), k.RoleARN, k.ProfileARN, k.AnchorARN, strconv.Itoa(k.Duration), k.SessionName}, k.Chain, k.Identity} {
		b = strconv.AppendInt(append(b, '\n'), int64(len(list)), 10)
		for _, s := range list {
			b = strconv.AppendQuote(append(b, ' '), s)
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
