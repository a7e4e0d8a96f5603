package integration

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// opensslCA is a CA that people run with `openssl ca`: a database, lists in a folder of nginx, `openssl ocsp -port`.
type opensslCA struct {
	t         testing.TB
	dir       string // with ca.pem, ca.key, the database, and web/, which nginx serves
	web, ocsp string // addresses
	responder *os.Process
	ended     chan struct{} // closed when the responder is gone
	issued    int
}

const caConfig = `
[ca]
default_ca = this
[this]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 7
default_crl_days = 7
policy = any
unique_subject = no
[any]
commonName = supplied
[plain]
[user]
issuingDistributionPoint = critical,onlyuser:TRUE
[onlyca]
issuingDistributionPoint = critical,onlyCA:TRUE
[elsewhere]
issuingDistributionPoint = critical,fullname:URI:http://pki.example/other.crl
[indirect]
issuingDistributionPoint = critical,indirectCRL:TRUE
[reasons]
issuingDistributionPoint = critical,onlysomereasons:keyCompromise
[delta]
2.5.29.27 = critical,DER:02:01:01
[req]
distinguished_name = dn
[dn]
`

const nginxConfig = `worker_processes 1;
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
  access_log access.log;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen %[1]s;
    root web;
    location /moved/ { return 302 http://169.254.169.254/latest/meta-data/; }
    location /slow/ { alias web/; limit_rate 20; }
  }
}
`

func newOpenSSLCA(t testing.TB) *opensslCA {
	t.Helper()
	ca := &opensslCA{t: t, dir: t.TempDir(), web: freeAddress(t), ocsp: freeAddress(t)}
	for name, text := range map[string]string{
		"openssl.cnf": caConfig, "index.txt": "", "index.txt.attr": "unique_subject = no\n", "serial": "1000\n", "crlnumber": "01\n", "nginx.conf": fmt.Sprintf(nginxConfig, ca.web),
	} {
		ca.write(name, text)
	}
	if err := os.Mkdir(filepath.Join(ca.dir, "web"), 0o755); err != nil {
		t.Fatal(err)
	}
	ca.selfSigned("ca")
	server := exec.Command(tool(t, "nginx"), "-p", ca.dir, "-c", "nginx.conf")
	ca.start(server)
	within(t, startTimeout, func() error {
		c, err := net.Dial("tcp", ca.web)
		if err == nil {
			c.Close()
		}
		return err
	})
	return ca
}

func (ca *opensslCA) write(name, text string) {
	ca.t.Helper()
	if err := os.WriteFile(filepath.Join(ca.dir, name), []byte(text), 0o600); err != nil {
		ca.t.Fatal(err)
	}
}

func (ca *opensslCA) openssl(args ...string) {
	ca.t.Helper()
	mustRun(ca.t, ca.dir, environment(ca.dir), tool(ca.t, "openssl"), args...)
}

// start runs a program until the test ends.
func (ca *opensslCA) start(cmd *exec.Cmd) (ended chan struct{}, out *output) {
	ca.t.Helper()
	out = &output{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = ca.dir, environment(ca.dir), out, out
	if err := cmd.Start(); err != nil {
		ca.t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	ca.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // nginx ends its worker
		<-ended
		if ca.t.Failed() {
			ca.t.Logf("%s\n%s", cmd, out)
		}
	})
	return ended, out
}

// selfSigned makes a root of the CA's name in name.pem and name.key.
func (ca *opensslCA) selfSigned(name string) {
	ca.t.Helper()
	ca.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf", "-keyout", name+".key", "-out", name+".pem", "-days", "30",
		"-subj", "/CN=OpenSSL CA", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectKeyIdentifier=hash")
}

// issue makes a certificate of the CA that names a list under the web server, and the responder. One that is not recorded
// is unknown to the responder.
func (ca *opensslCA) issue(list string, recorded bool) *workload {
	ca.t.Helper()
	ca.issued++
	name := fmt.Sprintf("leaf%d", ca.issued)
	ca.write(name+".ext", "keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\ncrlDistributionPoints=URI:http://"+ca.web+"/"+list+"\nauthorityInfoAccess=OCSP;URI:http://"+ca.ocsp+"/\n")
	ca.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf", "-keyout", name+".key", "-out", name+".csr", "-subj", "/CN="+name)
	if recorded {
		ca.openssl("ca", "-batch", "-notext", "-config", "openssl.cnf", "-extfile", name+".ext", "-in", name+".csr", "-out", name+".pem")
	} else {
		ca.openssl("x509", "-req", "-in", name+".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", fmt.Sprint(0x900000+ca.issued), "-days", "7", "-extfile", name+".ext", "-out", name+".pem")
	}
	block := func(file string) []byte {
		text := must(os.ReadFile(filepath.Join(ca.dir, file)))(ca.t)
		b, _ := pem.Decode(text)
		if b == nil {
			ca.t.Fatalf("%s: %s", file, text)
		}
		return b.Bytes
	}
	key := must(x509.ParsePKCS8PrivateKey(block(name + ".key")))(ca.t).(*ecdsa.PrivateKey)
	return &workload{cert: must(x509.ParseCertificate(block(name + ".pem")))(ca.t), key: key}
}

// revoke records a revocation. The responder knows at once, lists do when they are published.
func (ca *opensslCA) revoke(w *workload) {
	ca.t.Helper()
	ca.openssl("ca", "-config", "openssl.cnf", "-revoke", w.cert.Subject.CommonName+".pem", "-crl_reason", "keyCompromise")
}

// publish signs the list and puts it under the web server, as people do it: never half of it.
func (ca *opensslCA) publish(list string, options ...string) {
	ca.t.Helper()
	ca.openssl(append([]string{"ca", "-gencrl", "-config", "openssl.cnf", "-out", "list.pem"}, options...)...)
	ca.openssl("crl", "-in", "list.pem", "-outform", "DER", "-out", "list.crl")
	if err := os.Rename(filepath.Join(ca.dir, "list.crl"), filepath.Join(ca.dir, "web", list)); err != nil {
		ca.t.Fatal(err)
	}
}

// respond starts the responder, with a certificate of its own. What changes in the database later it answers with the
// second question after.
func (ca *opensslCA) respond() {
	ca.t.Helper()
	ca.write("ocsp.ext", "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n")
	ca.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-config", "openssl.cnf", "-keyout", "ocsp.key", "-out", "ocsp.csr", "-subj", "/CN=OCSP")
	ca.openssl("x509", "-req", "-in", "ocsp.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "77", "-days", "7", "-extfile", "ocsp.ext", "-out", "ocsp.pem")
	_, port, err := net.SplitHostPort(ca.ocsp)
	if err != nil {
		ca.t.Fatal(err)
	}
	cmd := exec.Command(tool(ca.t, "openssl"), "ocsp", "-port", port, "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-rmd", "sha256", "-nmin", "1", "-ignore_err")
	var out *output
	ca.ended, out = ca.start(cmd)
	ca.responder = cmd.Process
	within(ca.t, startTimeout, func() error { // a connection without a question hangs it
		if !strings.Contains(out.String(), "waiting for OCSP client connections") {
			return errors.New("the responder does not listen: " + out.String())
		}
		return nil
	})
}

func (ca *opensslCA) killResponder() {
	ca.responder.Kill()
	<-ca.ended
}

func (ca *opensslCA) pem() string {
	return strings.TrimSpace(string(must(os.ReadFile(filepath.Join(ca.dir, "ca.pem")))(ca.t))) + "\n"
}
