package awsprovider_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rolecall/rolecall/awsprovider"
)

// startServer builds both programs and runs `rolecalld quickstart`: a real server with a certificate, a role and a profile.
func startServer(t *testing.T) (o awsprovider.Options, dir string) {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./cmd/rolecalld", "./cmd/rolecall")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	dir = filepath.Join(t.TempDir(), "q")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(filepath.Join(bin, "rolecalld"), "quickstart", "--dir", dir, "--listen", "https://127.0.0.1:0")
	server.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	var said []byte
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if said, err = os.ReadFile(log.Name()); err != nil || time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, said)
		}
		if strings.Contains(string(said), "From nothing to an identity") {
			break
		}
	}
	line, err := exec.Command("sh", "-c", `cat "$1"/*config* "$1"/*/*config*`, "sh", dir).Output()
	if len(line) == 0 {
		t.Fatal(err)
	}
	value := func(flag string) string {
		m := regexp.MustCompile(`--` + flag + `[ =]"?([^" \n]+)`).FindSubmatch(line)
		if m == nil {
			t.Fatalf("no --%s in %s", flag, line)
		}
		return string(m[1])
	}
	return awsprovider.Options{
		TrustAnchorARN: value("trust-anchor-arn"), ProfileARN: value("profile-arn"), RoleARN: value("role-arn"),
		CertificateFile: value("certificate"), PrivateKeyFile: value("private-key"), Endpoints: []string{value("endpoint")},
		CABundle: filepath.Join(dir, "data", "tls-ca.pem"),
	}, dir
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signer(t *testing.T, o *awsprovider.Options) (crypto.Signer, *x509.Certificate) {
	t.Helper()
	block, _ := pem.Decode(read(t, o.PrivateKeyFile))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	block, _ = pem.Decode(read(t, o.CertificateFile))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Signer), cert
}

func TestProvider(t *testing.T) {
	files, _ := startServer(t)
	memory, other := files, files
	memory.CertificateFile, memory.PrivateKeyFile = "", ""
	memory.CertificatePEM, memory.PrivateKeyPEM = read(t, files.CertificateFile), read(t, files.PrivateKeyFile)
	other.CertificateFile, other.PrivateKeyFile = "", ""
	other.Signer, other.Certificate = signer(t, &files)
	other.Duration = 15 * time.Minute
	for name, o := range map[string]awsprovider.Options{"files": files, "memory": memory, "signer": other} {
		p, err := awsprovider.New(o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := p.Retrieve(t.Context())
		if err != nil || !got.HasKeys() || got.SessionToken == "" || !got.CanExpire || got.Source != awsprovider.Source {
			t.Errorf("%s: %v, %v", name, got.AccessKeyID, err)
		}
		want := o.Duration
		if want == 0 {
			want = time.Hour
		}
		if left := time.Until(got.Expires); left > want || left < want-time.Minute {
			t.Errorf("%s: expires in %v", name, left)
		}
	}
	t.Run("cache", func(t *testing.T) { cached(t, files) })
	t.Run("rotation", func(t *testing.T) { rotated(t, files, memory) })
	t.Run("context", func(t *testing.T) {
		p, err := awsprovider.New(files)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Retrieve(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		o := files
		o.RoleARN += "-other"
		p, err := awsprovider.New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "AccessDeniedException: Requested Role isn't one of those listed in the Profile.") {
			t.Errorf("got %v", err)
		}
	})
}

// cached asks concurrently, through the SDK, who the credentials belong to.
func cached(t *testing.T, o awsprovider.Options) {
	credentials, err := awsprovider.NewCredentials(o)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	keys := make([]string, 16)
	for i := range keys {
		wg.Go(func() {
			c, err := credentials.Retrieve(t.Context())
			if err != nil {
				t.Error(err)
			}
			keys[i] = c.AccessKeyID
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k == "" || k != keys[0] {
			t.Errorf("keys %q and %q", keys[0], k)
		}
	}
	if c, err := credentials.Retrieve(t.Context()); err != nil || time.Until(c.Expires) > time.Hour-awsprovider.ExpiryWindow*8/10 {
		t.Errorf("the cache replaces them in %v, %v", time.Until(c.Expires), err)
	}
	client := sts.New(sts.Options{Region: "us-east-1", Credentials: credentials, BaseEndpoint: aws.String(o.Endpoints[0]), HTTPClient: trusting(t, o.CABundle)})
	who, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil || !strings.Contains(*who.Arn, ":assumed-role/") {
		t.Errorf("%+v, %v", who, err)
	}
}

// rotated changes the files under a provider: it sees what is there now, and never mixes the two.
func rotated(t *testing.T, o, memory awsprovider.Options) {
	dir := t.TempDir()
	o.CertificateFile, o.PrivateKeyFile = filepath.Join(dir, "both.pem"), ""
	p, err := awsprovider.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Retrieve(t.Context()); err == nil {
		t.Fatal("credentials without a certificate")
	}
	if err := os.WriteFile(o.CertificateFile, append(append([]byte{}, memory.CertificatePEM...), memory.PrivateKeyPEM...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Retrieve(t.Context()); err != nil {
		t.Errorf("after the certificate came: %v", err)
	}
	if err := os.WriteFile(o.CertificateFile, memory.CertificatePEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "no private key") {
		t.Errorf("after the key went: %v", err)
	}
}

func TestOptions(t *testing.T) {
	good := awsprovider.Options{
		TrustAnchorARN: "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/a", ProfileARN: "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/p",
		RoleARN: "arn:aws:iam::111122223333:role/r", CertificateFile: "x",
	}
	for want, change := range map[string]func(*awsprovider.Options){
		"regions don't match":           func(o *awsprovider.Options) { o.ProfileARN = strings.Replace(o.ProfileARN, "central", "west", 1) },
		"Duration is 1m0s":              func(o *awsprovider.Options) { o.Duration = time.Minute },
		"set one of":                    func(o *awsprovider.Options) { o.CertificatePEM = []byte("x") },
		"is not encrypted":              func(o *awsprovider.Options) { o.Endpoints = []string{"http://roles.example"} },
		"cannot read AWS_CA_BUNDLE":     func(o *awsprovider.Options) { o.CABundle = "nowhere" },
		"CABundle has no effect":        func(o *awsprovider.Options) { o.CABundle, o.HTTPClient = "x", trusting(t, "") },
		"Signer and Certificate belong": func(o *awsprovider.Options) { o.CertificateFile, o.Certificate = "", &x509.Certificate{} },
	} {
		o := good
		change(&o)
		if _, err := awsprovider.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
