package adclient

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/userfile"
)

// Identity says where a Kerberos identity comes from: a password, a keytab or a credentials cache, in this order of what is
// given. Files that are not given are found as MIT Kerberos finds them.
type Identity struct {
	Principal string // "alice", "WS2$" or "alice@REALM"; for a keytab "" takes its first computer account
	Password  string
	Keytab    string // path; FILE: in front is ignored
	CCache    string // path
	Getenv    func(string) string
}

const (
	defaultConf   = "/etc/krb5.conf"
	defaultKeytab = "/etc/krb5.keytab"
	maxFile       = 4 << 20
	maxIncluded   = 64 // files
)

// DefaultKeytab is where a machine's keys are.
func DefaultKeytab(getenv func(string) string) string {
	if name := getenv("KRB5_KTNAME"); name != "" {
		return strings.TrimPrefix(name, "FILE:")
	}
	return defaultKeytab
}

// DefaultCCache is where kinit puts a user's tickets.
func DefaultCCache(getenv func(string) string) (string, error) {
	name := getenv("KRB5CCNAME")
	if name == "" {
		return fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), nil
	}
	if kind, path, ok := strings.Cut(name, ":"); ok {
		if kind != "FILE" {
			return "", fmt.Errorf("credentials caches of type %s cannot be read: kinit -c FILE:PATH makes one that can", kind)
		}
		return path, nil
	}
	return name, nil
}

// Open reads what the identity names. It does not talk to a KDC yet.
func (i *Identity) Open() (client *initiate.Client, err error) {
	cfg := initiate.Config{Principal: i.Principal, Password: i.Password}
	if cfg.Krb5Conf, err = krb5Conf(i.Getenv("KRB5_CONFIG")); err != nil {
		return nil, err
	}
	switch {
	case i.Password != "":
	case i.Keytab != "":
		if cfg.Keytab, _, err = userfile.Read(strings.TrimPrefix(i.Keytab, "FILE:"), maxFile); err != nil {
			return nil, fmt.Errorf("keytab: %w", err)
		}
		if cfg.Principal == "" {
			if cfg.Principal, err = computer(cfg.Keytab); err != nil {
				return nil, err
			}
		}
	default:
		path := i.CCache
		if path == "" {
			if path, err = DefaultCCache(i.Getenv); err != nil {
				return nil, err
			}
		}
		if cfg.CCache, _, err = userfile.Read(strings.TrimPrefix(path, "FILE:"), maxFile); err != nil {
			return nil, fmt.Errorf("credentials cache: %w", err)
		}
		cfg.Principal = ""
	}
	return initiate.New(cfg)
}

// computer is the first account of a keytab that looks like a computer's.
func computer(data []byte) (name string, err error) {
	defer func() {
		if p := recover(); p != nil { // the library indexes by lengths in the file
			name, err = "", errors.New("malformed keytab")
		}
	}()
	kt := keytab.New()
	if kt.Unmarshal(data) != nil {
		return "", errors.New("malformed keytab")
	}
	for _, e := range kt.Entries {
		if c := e.Principal.Components; len(c) == 1 && strings.HasSuffix(c[0], "$") {
			return c[0] + "@" + e.Principal.Realm, nil
		}
	}
	return "", errors.New("the keytab has no computer account, such as HOST$")
}

// krb5Conf reads the configuration with what it includes. Without a file, DNS says where the KDCs are.
func krb5Conf(list string) (string, error) {
	if list == "" {
		list = defaultConf
	}
	var b strings.Builder
	left := maxIncluded
	for _, path := range filepath.SplitList(list) {
		if err := include(&b, path, &left); err != nil && (path != defaultConf || !errors.Is(err, fs.ErrNotExist)) {
			return "", fmt.Errorf("krb5.conf: %w", err)
		}
	}
	if b.Len() == 0 {
		return "[libdefaults]\ndns_lookup_kdc = true\n", nil
	}
	return b.String(), nil
}

func include(b *strings.Builder, path string, left *int) error {
	if *left--; *left < 0 || b.Len() > maxFile {
		return errors.New("too many or too large files are included")
	}
	data, _, err := userfile.Read(path, maxFile)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(strings.NewReader(string(data))); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 2 && words[0] == "include":
			if err := include(b, words[1], left); err != nil {
				return err
			}
		case len(words) == 2 && words[0] == "includedir":
			if err := includeFolder(b, words[1], left); err != nil {
				return err
			}
		case len(words) > 0 && words[0] == "module":
		default:
			b.WriteString(lines.Text() + "\n")
		}
	}
	return nil
}

// includeFolder reads the files that krb5.conf(5) says: those with plain names, and *.conf.
func includeFolder(b *strings.Builder, dir string, left *int) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		stem := strings.TrimSuffix(e.Name(), ".conf")
		odd := func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}
		if e.IsDir() || stem == "" || strings.ContainsFunc(stem, odd) {
			continue
		}
		if err := include(b, filepath.Join(dir, e.Name()), left); err != nil {
			return err
		}
	}
	return nil
}
