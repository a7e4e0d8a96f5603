// Package testad brings up a real Active Directory domain for tests: a Samba domain controller in namespaces of its own, with
// users, groups, computers and keytabs. It is for tests only, needs root and installs nothing: what is missing is a test
// failure that says how to get it.
//
// There is one domain per test process. It ends with the process, however that ends: the domain lives in a process
// namespace whose first process dies when the test process does, and the kernel ends the rest. Start with [Start]; a
// package's TestMain calls [Main] so that a person who is not root can run its tests too.
package testad

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What the domain is called. Addresses exist in the domain's network namespace only.
const (
	Realm      = "CORP.EXAMPLE.COM"
	DNSDomain  = "corp.example.com"
	NetBIOS    = "CORP"
	BaseDN     = "DC=corp,DC=example,DC=com"
	DCHost     = "dc1.corp.example.com"
	DCAddress  = "10.53.57.10"
	CAHost     = "ca.corp.example.com" // where a test's server listens; the service account's SPN is HTTP/ca.corp.example.com
	CAAddress  = "10.53.57.20"
	SPN        = "HTTP/" + CAHost
	Admin      = "administrator"
	AdminPass  = "Passw0rd!adm"
	ServiceDN  = "CN=svc-rolecall,CN=Users," + BaseDN
	ServiceUPN = "svc-rolecall@" + DNSDomain
)

// Password is the password of a user (alice, bob, dora, svc-rolecall, svc-rc4) or of a computer (ws2).
func Password(account string) string {
	return "Passw0rd!" + strings.ToLower(strings.TrimSuffix(account, "$"))
}

// Domain is a running domain.
type Domain struct {
	// Dir is a private folder, removed at the end. It holds http.keytab (the service account's), alice.keytab, bob.keytab,
	// ws2.keytab, rc4.keytab, krb5.conf, and dc/ with the domain controller's data.
	Dir string
	// Roots verifies the domain controller's LDAPS certificate.
	Roots *x509.CertPool

	pid      int       // the first process of the domain's namespaces, as seen from here
	lifeline io.Closer // the supervisor's standard input, open for as long as this process lives
}

//go:embed objects.py
var objectsScript []byte

//go:embed up.sh
var upScript []byte

var shared = sync.OnceValues(start)

// Start returns the process's domain and brings it up on first use, which takes about four seconds.
func Start(t testing.TB) *Domain {
	t.Helper()
	d, err := shared()
	if err != nil {
		t.Fatalf("Active Directory domain: %v\nhint: run `make deps`; the tests need root for namespaces", err)
	}
	return d
}

// Main runs a package's tests, as root: through sudo -n if need be. Without sudo the tests that need the domain fail.
func Main(m *testing.M) {
	if os.Geteuid() != 0 && os.Getenv("ROLECALL_TESTAD_SUDO") == "" {
		if sudo, err := exec.LookPath("sudo"); err == nil && exec.Command(sudo, "-n", "true").Run() == nil {
			args := append([]string{"sudo", "-n", "--preserve-env", "ROLECALL_TESTAD_SUDO=1"}, os.Args...)
			err = syscall.Exec(sudo, args, os.Environ())
			fmt.Fprintln(os.Stderr, "testad: sudo:", err)
		}
	}
	os.Exit(m.Run())
}

// supervise runs the domain until its standard input ends, which it does when the test process is gone, killed or not. The
// domain's first process is the shell of up.sh; when that is killed, the kernel ends every process of its namespace and,
// with the last one, the network. $1 is the folder.
const supervise = `
dir=$1
unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private /bin/bash "$dir/up.sh" "$dir" </dev/null >"$dir/log" 2>&1 &
pid=$!
echo $pid
cat >/dev/null
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
cd / && rm -rf "$dir"
`

func start() (*Domain, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("needs root, and sudo -n does not work here")
	}
	for _, name := range []string{"samba", "samba-tool", "unshare", "nsenter", "ip", "kinit", "/usr/bin/python3"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "rolecall-ad-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // smbd becomes its client's user and must reach sysvol; files are 0600
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d := &Domain{Dir: dir}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	cmd := exec.Command("/bin/sh", "-c", supervise, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the tests, not for the cleaning up
	if d.lifeline, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, err
	}
	var unshare int
	if _, err := fmt.Sscan(line, &unshare); err != nil {
		return nil, err
	}
	if err := d.ready(unshare); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		d.lifeline.Close()
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return d, nil
}

// ready waits until the domain controller answers, at most two minutes: a loaded machine needs 20 seconds.
func (d *Domain) ready(unshare int) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(d.Dir, "failed")); err == nil {
			return errors.New("it did not come up")
		}
		if _, err := os.Stat(filepath.Join(d.Dir, "up")); err != nil {
			continue
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", unshare))
		if err != nil {
			return err
		}
		_, err = fmt.Sscan(string(children), &d.pid)
		return err
	}
	return errors.New("it did not come up in two minutes")
}

const krb5conf = `[libdefaults]
 default_realm = CORP.EXAMPLE.COM
 dns_lookup_realm = false
 dns_lookup_kdc = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
[realms]
 CORP.EXAMPLE.COM = {
  kdc = 10.53.57.10
  kpasswd_server = 10.53.57.10
 }
[domain_realm]
 .corp.example.com = CORP.EXAMPLE.COM
 corp.example.com = CORP.EXAMPLE.COM
`

// prepare writes what the domain is made of, its TLS certificate among it: Samba's own has no names in it and takes seconds.
func (d *Domain) prepare() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: DCHost}, DNSNames: []string{DCHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	d.Roots = x509.NewCertPool()
	d.Roots.AppendCertsFromPEM(certPEM)
	for name, data := range map[string][]byte{
		"cert.pem": certPEM, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		"krb5.conf": []byte(krb5conf), "objects.py": objectsScript, "up.sh": upScript,
	} {
		if err := os.WriteFile(filepath.Join(d.Dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
