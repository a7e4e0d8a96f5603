package kerberos

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Encryption types that a ticket may use, RFC 3961 §8 and RFC 4757.
const (
	etypeAES128 = 17
	etypeAES256 = 18
	etypeRC4    = 23
)

const maxKeytab = 1 << 20

// Acceptor verifies Negotiate headers. Create it with [New]; it is safe for concurrent use. All acceptors of a process share
// one memory of tokens they have seen.
type Acceptor struct {
	keys    []serviceKey
	binding ChannelBinding
	rc4     bool
	skew    time.Duration
	now     func() time.Time
}

// serviceKey is one key of a principal that tickets may be for.
type serviceKey struct {
	principal, realm string
	kvno             uint32
	key              types.EncryptionKey
}

// New checks the configuration and reads the keytab.
func New(cfg Config) (*Acceptor, error) {
	a := &Acceptor{binding: cfg.ChannelBinding, rc4: cfg.AllowRC4, skew: cfg.MaxSkew, now: cfg.Clock}
	if a.skew == 0 {
		a.skew = 5 * time.Minute
	}
	if a.skew < time.Second || a.skew > time.Hour {
		return nil, fmt.Errorf("clock skew of %v: not within 1s to 1h", a.skew)
	}
	if a.binding < Allow || a.binding > Require {
		return nil, fmt.Errorf("channel binding %d: not a mode", a.binding)
	}
	if a.now == nil {
		a.now = time.Now
	}
	entries, err := readKeytab(cfg.Keytab)
	if err != nil {
		return nil, err
	}
	a.keys = ours(entries, cfg.Services)
	if len(a.keys) == 0 {
		return nil, fmt.Errorf("the keytab has no key for %s", serviceNames(cfg.Services))
	}
	for _, k := range a.keys {
		if a.allowed(k.key.KeyType) {
			return a, nil
		}
	}
	return nil, errors.New("the keytab has no AES key: set msDS-SupportedEncryptionTypes of the account to 24 and export the keytab again")
}

func serviceNames(services []string) string {
	if len(services) == 0 {
		return "a principal HTTP/…"
	}
	return strings.Join(services, ", ")
}

// readKeytab parses a keytab file. The library's parser indexes by lengths of the file.
func readKeytab(data []byte) (keys []serviceKey, err error) {
	defer func() {
		if p := recover(); p != nil {
			keys, err = nil, errors.New("keytab: malformed")
		}
	}()
	if len(data) > maxKeytab {
		return nil, fmt.Errorf("keytab: longer than %d bytes", maxKeytab)
	}
	kt := keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		return nil, errors.New("keytab: malformed") // the library's text quotes the file
	}
	for _, e := range kt.Entries {
		keys = append(keys, serviceKey{strings.Join(e.Principal.Components, "/"), e.Principal.Realm, e.KVNO, e.Key})
	}
	return keys, nil
}

// KeytabKey is one key of a keytab, without the key.
type KeytabKey struct {
	Principal, Realm string
	KVNO             int
	Type             int32 // RFC 3961 §8: 17 and 18 are AES, 23 is RC4
}

// AES reports whether tickets of the key's type are taken by default.
func (k KeytabKey) AES() bool { return k.Type == etypeAES128 || k.Type == etypeAES256 }

// KeytabKeys lists a keytab file's keys.
func KeytabKeys(keytab []byte) ([]KeytabKey, error) {
	keys, err := readKeytab(keytab)
	if err != nil {
		return nil, err
	}
	list := make([]KeytabKey, len(keys))
	for i, k := range keys {
		list[i] = KeytabKey{k.principal, k.realm, int(k.kvno), k.key.KeyType}
	}
	return list, nil
}

// ours keeps the keys of the services tickets may be for.
func ours(keys []serviceKey, services []string) []serviceKey {
	var kept []serviceKey
	for _, k := range keys {
		if len(services) == 0 {
			if len(k.principal) > 5 && strings.EqualFold(k.principal[:5], "HTTP/") {
				kept = append(kept, k)
			}
			continue
		}
		for _, s := range services {
			name, realm, hasRealm := strings.Cut(s, "@")
			if strings.EqualFold(name, k.principal) && (!hasRealm || realm == k.realm) {
				kept = append(kept, k)
				break
			}
		}
	}
	return kept
}

func (a *Acceptor) allowed(etype int32) bool {
	return etype == etypeAES128 || etype == etypeAES256 || etype == etypeRC4 && a.rc4
}

// key finds the key a ticket was made with. AD compares service names without case and answers in the client's spelling.
func (a *Acceptor) key(service, realm string, kvno int, etype int32) (types.EncryptionKey, error) {
	var known bool
	var have []string
	var newest *serviceKey
	for i, k := range a.keys {
		if !strings.EqualFold(k.principal, service) || k.realm != realm {
			continue
		}
		known = true
		have = append(have, fmt.Sprintf("%d/%d", k.kvno, k.key.KeyType))
		if k.key.KeyType != etype || kvno != 0 && k.kvno != uint32(kvno) {
			continue
		}
		if newest == nil || k.kvno >= newest.kvno {
			newest = &a.keys[i]
		}
	}
	switch {
	case newest != nil:
		return newest.key, nil
	case !known:
		return types.EncryptionKey{}, refuse(ReasonService, "the ticket is for %q of realm %q", service, realm)
	}
	return types.EncryptionKey{}, refuse(ReasonNoKey, "the ticket for %s needs key version %d of type %d; the keytab has (version/type) %s: export it again after a change of the account's password",
		service, kvno, etype, strings.Join(have, ", "))
}

func (a *Acceptor) accept(header string, leaf *x509.Certificate) (*Identity, string, error) {
	raw, err := parseHeader(header)
	if err != nil {
		return nil, "", err
	}
	n, err := parseToken(raw)
	if err != nil {
		return nil, "", err
	}
	now := a.now()
	v, err := a.verify(n.apReq, now)
	if err != nil {
		return nil, "", err
	}
	bound, err := v.checkBinding(a.binding, leaf)
	if err != nil {
		return nil, "", err
	}
	if err := seen.add(v.fingerprint, v.clientTime.Add(a.skew), now); err != nil {
		return nil, "", err
	}
	id, err := v.identity()
	if err != nil {
		return nil, "", err
	}
	id.ChannelBound = bound
	var token []byte
	if v.mutual {
		apRep, err := v.apRep()
		if err != nil {
			return nil, "", because(ReasonInternal, err, "cannot make the answer")
		}
		token = wrapAPRep(apRep)
	}
	if n.mechanism != nil {
		token = response(acceptCompleted, n.mechanism, token)
	}
	if len(token) == 0 {
		return id, "", nil // a Kerberos token alone that asks for no proof of the server
	}
	return id, "Negotiate " + base64.StdEncoding.EncodeToString(token), nil
}
