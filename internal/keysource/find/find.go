// Package find looks for certificates with private keys where machines keep them: the folders of rolecall, what certmonger
// tracks, the usual folders of the system, the certificate stores of Windows and macOS, and PKCS#11 tokens.
//
// It only lists: what is found is loaded, and checked, by the source that its flags name. What cannot be read, is a CA's or
// is not valid now is passed over, and what is likely not meant too, outside of rolecall's own folders.
// Start with [Places]; certmonger.go reads certmonger's files.
package find

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/certstore"
	"github.com/rolecall/rolecall/internal/keysource/file"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/selector"
)

// Bounds of a search.
const (
	maxFolders  = 64
	maxFiles    = 512              // that are read in the folders of pairs
	tokenTime   = 20 * time.Second // for all tokens together
	requestSize = 1 << 20          // of a file of certmonger
)

// Identity is a certificate with its key.
type Identity struct {
	selector.Candidate
	Flags [][2]string // names and values of the flags that name it
}

// Place is where identities may be.
type Place struct {
	Name string // as it is told
	Look func(ctx context.Context) ([]Identity, error)
}

// Store is a certificate store of the system.
type Store interface {
	List(ctx context.Context) ([]selector.Candidate, error)
}

// Config says what there is to look into.
type Config struct {
	Getenv func(string) string
	GOOS   string
	Root   string // put before the absolute paths of the system; "" but in tests

	Module string                  // PKCS#11 module; empty: p11-kit's proxy, if a module is configured there
	Stores func(name string) Store // by name as in --system-store-name; nil: certstore
	Tokens func(module string) interface {
		List(ctx context.Context) ([]pkcs11.Listed, error)
	} // nil: rolecall-pkcs11
}

// Places gives them in the order in which they are to be looked into: the first that has anything counts.
func Places(cfg Config) []Place {
	var list []Place
	for _, dir := range cfg.folders() {
		list = append(list, Place{dir, func(ctx context.Context) ([]Identity, error) { return inFolders(ctx, dir) }})
	}
	if cfg.GOOS == "windows" || cfg.GOOS == "darwin" {
		for _, name := range []string{`CurrentUser\MY`, `LocalMachine\MY`}[:map[bool]int{true: 2, false: 1}[cfg.GOOS == "windows"]] {
			list = append(list, Place{"the certificate store " + name, func(ctx context.Context) ([]Identity, error) { return cfg.inStore(ctx, name) }})
		}
	} else {
		list = append(list, Place{"the certificates that certmonger tracks", cfg.tracked})
		for _, pair := range [][2]string{ // Debian's and Fedora's, and Puppet's
			{"/etc/ssl/certs", "/etc/ssl/private"},
			{"/etc/pki/tls/certs", "/etc/pki/tls/private"},
			{"/etc/puppetlabs/puppet/ssl/certs", "/etc/puppetlabs/puppet/ssl/private_keys"},
		} {
			list = append(list, Place{pair[0] + " with " + pair[1], func(ctx context.Context) ([]Identity, error) {
				return inPair(ctx, filepath.Join(cfg.Root, pair[0]), filepath.Join(cfg.Root, pair[1]))
			}})
		}
	}
	if cfg.Module != "" || cfg.hasModule() {
		list = append(list, Place{"PKCS#11 tokens", cfg.onTokens})
	}
	return list
}

// folders are rolecall's own, in order. Folders in them count as well.
func (cfg *Config) folders() []string {
	var list []string
	add := func(base string, more ...string) {
		if dir := filepath.Join(append([]string{base}, more...)...); base != "" && !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	add(cfg.Getenv("XDG_CONFIG_HOME"), "rolecall")
	for _, name := range []string{"HOME", "USERPROFILE"} {
		add(cfg.Getenv(name), ".config", "rolecall")
		add(cfg.Getenv(name), ".rolecall")
	}
	for _, name := range []string{"APPDATA", "LOCALAPPDATA", "PROGRAMDATA"} {
		add(cfg.Getenv(name), "rolecall")
	}
	if cfg.GOOS != "windows" {
		add(cfg.Root+"/etc", "rolecall")
		add(cfg.Root+"/var/lib", "rolecall-ad")
	}
	return list
}

// usable reports whether a certificate can be a workload's now.
func usable(c *x509.Certificate) bool { return !c.IsCA && keysource.Validity(c, time.Now()) == "" }

// likely reports whether one that was not put there for rolecall may be meant: one that its own key has signed leads to no
// trust anchor, and one for servers alone is a server's.
func likely(c *x509.Certificate) bool {
	if !usable(c) || bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
		return false
	}
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func ofFiles(certificate, key string, c *x509.Certificate) Identity {
	id := Identity{Candidate: selector.Candidate{Certificate: c, Where: certificate}, Flags: [][2]string{{"certificate", certificate}}}
	if key != certificate {
		id.Flags = append(id.Flags, [2]string{"private-key", key})
	}
	return id
}

// inFolders looks into a folder and those in it.
func inFolders(ctx context.Context, dir string) ([]Identity, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dirs := []string{dir}
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(dir, e.Name()))
		}
	}
	var list []Identity
	for _, d := range dirs[:min(len(dirs), maxFolders)] {
		pairs, err := (&file.Store{Path: d}).Pairs(ctx)
		if err != nil {
			continue
		}
		for _, p := range pairs {
			if usable(p.Certificate) {
				list = append(list, ofFiles(p.Where, p.Key, p.Certificate))
			}
		}
	}
	return list, nil
}

// inPair looks for keys in one folder and certificates of the same name in another: those of CAs, of which there are
// hundreds, are not read.
func inPair(ctx context.Context, certificates, keys string) ([]Identity, error) {
	entries, err := os.ReadDir(keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Identity
	for _, e := range entries[:min(len(entries), maxFiles)] {
		name := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		for _, ext := range []string{".pem", ".crt", ".cer", ".cert"} {
			if id, ok := load(ctx, filepath.Join(certificates, name+ext), filepath.Join(keys, e.Name())); ok {
				list = append(list, id)
				break
			}
		}
	}
	return list, nil
}

// load gives the identity of two files, if they are one that can be used.
func load(ctx context.Context, certificate, key string) (Identity, bool) {
	if info, err := os.Stat(certificate); err != nil || !info.Mode().IsRegular() {
		return Identity{}, false
	}
	id, err := (&file.Source{Certificate: certificate, PrivateKey: key}).Load(ctx)
	if err != nil || !likely(id.Leaf()) {
		return Identity{}, false
	}
	return ofFiles(certificate, key, id.Leaf()), true
}

// inStore asks a store of the system. A certificate is named by its thumbprint, which changes with every renewal, only if its
// subject is not its alone.
func (cfg *Config) inStore(ctx context.Context, name string) ([]Identity, error) {
	var s Store = &certstore.Source{Name: name}
	if cfg.Stores != nil {
		s = cfg.Stores(name)
	}
	found, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(c selector.Candidate) bool { return !likely(c.Certificate) })
	var list []Identity
	for _, c := range found {
		term := "Key=x509Subject,Value=" + c.Certificate.Subject.String()
		fits := 0
		if sel, err := selector.Parse(term); err == nil {
			for _, other := range found {
				if _, err := sel.Select([]selector.Candidate{other}, false); err == nil {
					fits++
				}
			}
		}
		if fits != 1 {
			sum := sha256.Sum256(c.Certificate.Raw)
			term = "Key=x509Thumbprint,Value=" + hex.EncodeToString(sum[:])
		}
		list = append(list, Identity{c, [][2]string{{"cert-selector", term}, {"system-store-name", name}}})
	}
	return list, nil
}

// hasModule reports whether p11-kit is told of a module that holds more than the trusted CAs.
func (cfg *Config) hasModule() bool {
	for _, dir := range []string{"/etc/pkcs11/modules", "/usr/share/p11-kit/modules", "/usr/local/share/p11-kit/modules"} {
		files, _ := filepath.Glob(filepath.Join(cfg.Root, dir, "*.module")) // the pattern is sound
		if slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) != "p11-kit-trust.module" }) {
			return true
		}
	}
	return false
}

// onTokens asks rolecall-pkcs11. Whether the keys are there is seen when one is used, as that takes the PIN.
func (cfg *Config) onTokens(ctx context.Context) ([]Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	var tokens interface {
		List(ctx context.Context) ([]pkcs11.Listed, error)
	} = &pkcs11.Source{Certificate: pkcs11.Prefix, Module: cfg.Module}
	if cfg.Tokens != nil {
		tokens = cfg.Tokens(cfg.Module)
	}
	found, err := tokens.List(ctx)
	if err != nil {
		return nil, err
	}
	var list []Identity
	for _, l := range found {
		if likely(l.Certificate) {
			list = append(list, Identity{selector.Candidate{Certificate: l.Certificate, Where: l.URI}, [][2]string{{"certificate", l.URI}}})
		}
	}
	return list, nil
}
