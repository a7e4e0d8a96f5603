package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/credcache"
	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/userfile"
)

const (
	flagCache   = "cache"
	flagNoCache = "no-cache"
)

// maxCertificateFile bounds what is read to find out whether the certificate has changed, in bytes.
const maxCertificateFile = 1 << 20

func cacheFlags() []flag {
	return []flag{
		{name: flagCache, kind: boolFlag, help: "keep the credentials in the user's cache folder for the next calls; " + officialName + " does so only with this flag"},
		{name: flagNoCache, kind: boolFlag, help: "make a request at every call, and write nothing"},
	}
}

// caches says whether the session cache is on. Under the official name it is off unless asked for: a drop-in must not
// begin to write secrets to disk, and its users may count on one session per call.
func (p *program) caches(in *inputs) (bool, error) {
	if in.truth(flagCache) && in.truth(flagNoCache) {
		return false, &usageError{problem: "--cache and --no-cache contradict each other", command: "credential-process"}
	}
	if in.isSet(flagNoCache) {
		return !in.truth(flagNoCache), nil
	}
	if in.isSet(flagCache) {
		return in.truth(flagCache), nil
	}
	return p.name != officialName, nil
}

// credentials gives cached credentials or makes a session. A cache that cannot be used is passed over.
func (p *program) credentials(ctx context.Context, in *inputs) (*credclient.Credentials, error) {
	on, err := p.caches(in)
	if err != nil {
		return nil, err
	}
	fetch := func(ctx context.Context) (*credclient.Credentials, error) {
		maker, err := p.newSessionMaker(in)
		if err != nil {
			return nil, err
		}
		return maker.create(ctx, in.text(flagRole), in.text(flagProfileARN))
	}
	if !on {
		return fetch(ctx)
	}
	key, err := p.cacheKey(ctx, in)
	if err != nil { // the request fails too, and says it better
		return fetch(ctx)
	}
	cache, err := credcache.Open(credcache.Folder(p.getenv))
	if err != nil {
		if in.truth(flagDebug) || in.isSet(flagCache) {
			p.warn("the session cache is not used: " + err.Error())
		}
		return fetch(ctx)
	}
	return cache.Get(ctx, key, fetch)
}

// cacheKey collects what the credentials depend on. Passwords do not belong to it: they change nothing in the result.
func (p *program) cacheKey(ctx context.Context, in *inputs) (*credcache.Key, error) {
	region, endpoints, err := credclient.Resolve(p.clientConfig(in), in.request(in.text(flagRole), in.text(flagProfileARN)))
	if err != nil {
		return nil, err
	}
	k := &credcache.Key{
		Endpoints: endpoints, Region: string(region), NoVerifyTLS: in.truth(flagNoVerify),
		RoleARN: in.text(flagRole), ProfileARN: in.text(flagProfileARN), AnchorARN: in.text(flagAnchor),
		Duration: in.number(flagDuration), SessionName: in.text(flagSession), Chain: in.chain(),
	}
	for _, f := range keyFlags() {
		if !in.isSet(f.name) || isPassword(f.name) || f.name == flagDebug {
			continue
		}
		k.Identity = append(k.Identity, f.name+"="+in.text(f.name))
	}
	if in.isSet(flagCertStore) || in.text(flagCertificate) == "" { // what is chosen from a store can change at any time
		id, err := p.loadIdentity(ctx, in)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(id.Leaf().Raw)
		k.Identity = append(k.Identity, "sha256="+hex.EncodeToString(sum[:]))
	}
	if certificate := in.text(flagCertificate); certificate != "" && !strings.HasPrefix(certificate, "pkcs11:") {
		data, ok, err := in.stream(certificate, maxCertificateFile)
		if err == nil && !ok {
			data, _, err = userfile.Read(certificate, maxCertificateFile)
		}
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data) // of the file: it changes whenever the certificate does
		k.Identity = append(k.Identity, "sha256="+hex.EncodeToString(sum[:]))
	}
	if len(k.Identity) == 0 {
		return nil, errors.New("no certificate named")
	}
	return k, nil
}

func isPassword(name string) bool {
	for _, secret := range secretNames() {
		if name == secret || strings.HasPrefix(name, secret+"-") {
			return true
		}
	}
	return false
}
