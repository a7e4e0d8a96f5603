package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/sigv4"
)

// stub stands for Roles Anywhere. The first segment of the path chooses how it answers.
type stub struct {
	*httptest.Server
	plain *httptest.Server // the same without TLS
	path  string           // file with a line per request; "": none is written

	mu   sync.Mutex // guards seen and the file
	seen int
}

func startStub(path string) *stub {
	s := &stub{path: path}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are part of the tests
	s.StartTLS()
	s.plain = httptest.NewServer(s)
	return s
}

func (s *stub) Close() {
	s.Server.Close()
	s.plain.Close()
}

func (s *stub) certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

const granted = `{"credentialSet":[{"assumedRoleUser":{"arn":"a","assumedRoleId":"b"},"credentials":{"accessKeyId":"ASIATESTKEY",` +
	`"secretAccessKey":"SECRET/key+1","sessionToken":"TOKEN==","expiration":"2031-02-03T04:05:06.789Z"},"packedPolicySize":3,` +
	`"roleArn":"r","sourceIdentity":"CN=x"}],"subjectArn":"s"}`

// verifyKey checks the signature of the key that the scripts have in the environment.
func verifyKey(r *http.Request, body []byte) string {
	claims, err := sigv4.Parse(r)
	if err != nil {
		return "parse: " + err.Error()
	}
	key := sigv4.DeriveKey("secret", time.Now().UTC().Format("20060102"), claims.Region, "rolesanywhere")
	if err := claims.Verify(r, key, &sigv4.Check{Now: time.Now(), BodySHA256: sha256.Sum256(body)}); err != nil {
		return "signature: " + err.Error()
	}
	return "verified"
}

// offers lists trust anchors or profiles: under /one one of each that is switched on, and else two, on two pages.
func offers(w io.Writer, scenario, what, token string) {
	switch {
	case what == "trustanchors":
		fmt.Fprintf(w, `{"trustAnchors":[{"trustAnchorArn":%q,"name":"machines","enabled":true},{"trustAnchorArn":"arn:off","name":"old","enabled":false}]}`, anchorARN)
	case scenario == "one":
		fmt.Fprintf(w, `{"profiles":[{"profileArn":%q,"name":"backups","enabled":true,"roleArns":[%q]}]}`, profileARN, roleARN)
	case token == "":
		fmt.Fprintf(w, `{"profiles":[{"profileArn":%q,"name":"others","enabled":true,"roleArns":[]}],"nextToken":"a b"}`, profileARN+"2")
	case token == "a b":
		fmt.Fprintf(w, `{"profiles":[{"profileArn":%q,"name":"backups","enabled":true,"roleArns":[%q,%q]}]}`, profileARN, roleARN+"2", roleARN)
	}
}

// assumed is the answer under /sts.
const assumed = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIATESTKEY</AccessKeyId>` +
	`<SecretAccessKey>SECRET/key+1</SecretAccessKey><SessionToken>TOKEN==</SessionToken><Expiration>2031-02-03T04:05:06Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	verdict := "sts"
	switch {
	case strings.HasSuffix(r.URL.Path, "/trustanchors"), strings.HasSuffix(r.URL.Path, "/profiles"):
		verdict = verifyKey(r, body)
	case !strings.HasPrefix(r.URL.Path, "/sts"):
		verdict = verify(r, body)
	}
	s.mu.Lock()
	s.seen++
	n := s.seen
	s.record(r, body, verdict)
	s.mu.Unlock()
	w.Header().Set("X-Amzn-Requestid", "req-"+strconv.Itoa(n))
	if verdict == "sts" {
		io.WriteString(w, assumed)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/mute") {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	if strings.HasPrefix(r.URL.Path, "/clock") || strings.HasPrefix(r.URL.Path, "/late") {
		w.Header().Set("Date", time.Now().Add(-11*time.Minute).UTC().Format(http.TimeFormat))
	}
	if verdict != "verified" {
		refuse(w, http.StatusForbidden, "AccessDeniedException", "Invalid signature")
		return
	}
	scenario := strings.Split(r.URL.Path, "/")[1]
	if r.Method == http.MethodGet {
		offers(w, scenario, path.Base(r.URL.Path), r.URL.Query().Get("nextToken"))
		return
	}
	if status, ok := strings.CutPrefix(scenario, "twice-"); ok && n <= 2 {
		code, _ := strconv.Atoi(status)
		refuse(w, code, "InternalServerException", "try again")
		return
	}
	s.answer(w, scenario)
}

func (s *stub) answer(w http.ResponseWriter, scenario string) {
	switch scenario {
	case "always-503":
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailableException", "busy")
	case "untrusted":
		refuse(w, http.StatusForbidden, "AccessDeniedException", "Untrusted signing certificate")
	case "signature":
		refuse(w, http.StatusForbidden, "AccessDeniedException", "Invalid signature")
	case "clock":
		refuse(w, http.StatusForbidden, "AccessDeniedException", "Invalid signature")
	case "body-code":
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.example#ValidationException:http://x","Message":"bad\u001b[31m thing\nsecond line"}`)
	case "html":
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "<html>SECRET/key+1</html>")
	case "redirect":
		w.Header().Set("Location", s.URL+"/ok/sessions")
		w.WriteHeader(http.StatusTemporaryRedirect)
	case "huge":
		io.WriteString(w, strings.Repeat(" ", 1<<20)+granted)
	case "garbage":
		io.WriteString(w, "SECRET/key+1")
	case "none":
		io.WriteString(w, `{"credentialSet":[]}`)
	case "partial":
		io.WriteString(w, `{"credentialSet":[{"credentials":{"accessKeyId":"A","secretAccessKey":"SECRET/key+1"}}]}`)
	case "drop":
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close()
		}
	default:
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, granted)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"message":%q}`, message)
}

// verify checks the signature with the key of the certificate that was sent.
func verify(r *http.Request, body []byte) string {
	claims, err := sigv4.Parse(r)
	if err != nil {
		return "parse: " + err.Error()
	}
	der, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Amz-X509"))
	if err != nil {
		return "certificate: " + err.Error()
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return "certificate: " + err.Error()
	}
	if claims.KeyID != leaf.SerialNumber.String() {
		return "serial " + claims.KeyID
	}
	check := &sigv4.Check{Now: time.Now(), BodySHA256: sha256.Sum256(body), Path: "/sessions"}
	if err := claims.VerifyX509(r, leaf.PublicKey, check); err != nil {
		return "signature: " + err.Error()
	}
	return "verified"
}

// record writes one line per request. The caller holds mu.
func (s *stub) record(r *http.Request, body []byte, verdict string) {
	if s.path == "" {
		return
	}
	claims, _ := sigv4.Parse(r)
	if claims == nil {
		claims = &sigv4.Claims{}
	}
	var chain []string
	for _, part := range strings.Split(r.Header.Get("X-Amz-X509-Chain"), ",") {
		der, _ := base64.StdEncoding.DecodeString(part)
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c.Subject.CommonName)
		}
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err) // a test without its record proves nothing
	}
	defer f.Close()
	fmt.Fprintf(f, "%s proto=%s method=%s path=%s query=%s body=%s region=%s alg=%s signed=%s chain=%s attempt=%q type=%s agent=%q encoding=%q length=%d\n",
		verdict, r.Proto, r.Method, r.URL.EscapedPath(), r.URL.RawQuery, body, claims.Region, claims.Algorithm,
		strings.Join(claims.SignedHeaders, ";"), strings.Join(chain, "+"), r.Header.Get("Amz-Sdk-Request"),
		r.Header.Get("Content-Type"), r.UserAgent(), r.Header.Get("Accept-Encoding"), r.ContentLength)
}
