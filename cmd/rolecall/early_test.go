package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Calls that need no network are answered before the packages for it are initialised, which takes longer than the answer.
func TestEarly(t *testing.T) {
	program, cert := filepath.Join(buildProgram(t), ownName), filepath.Join(fixtures, "ec.pem")
	run := func(args ...string) (out string, initialised func(string) bool) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, stderr.String())
		}
		return string(b), func(pkg string) bool { return strings.Contains(stderr.String(), "init "+pkg+" @") }
	}
	if out, initialised := run("version"); out != "9.8.7\n" || initialised("crypto/x509") || !initialised("os") {
		t.Errorf("version: %q, with crypto/x509 initialised: %v", out, initialised("crypto/x509"))
	}
	out, initialised := run("read-certificate-data", "--certificate", cert)
	if initialised("net/http") || initialised("crypto/x509") || !initialised("os") {
		t.Errorf("read-certificate-data initialises net/http: %v, crypto/x509: %v", initialised("net/http"), initialised("crypto/x509"))
	}
	slow, initialised := run("read-certificate-data", "--certificate="+cert)
	if slow != out || !initialised("net/http") {
		t.Errorf("early it is\n%s\nand then\n%s", out, slow)
	}
	// What has to be told of is left to the program.
	b, err := exec.Command(program, "read-certificate-data", "--certificate", "nowhere.pem").CombinedOutput()
	if err == nil || !strings.Contains(string(b), "rolecall: cannot read the certificate file nowhere.pem") {
		t.Errorf("%v: %s", err, b)
	}
}
