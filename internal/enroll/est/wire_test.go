package est_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/certsonly"
)

// recorder keeps what came in over TCP.
type recorder struct {
	net.Conn
	seen bytes.Buffer
}

func (c *recorder) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.Write(p[:n])
	return n, err
}

// data counts the records of application data.
func (c *recorder) data() (n int) {
	for b := c.seen.Bytes(); len(b) >= 5; {
		if b[0] == 23 {
			n++
		}
		b = b[min(len(b), 5+int(b[3])<<8+int(b[4])):]
	}
	return n
}

// TestPlainClients: strongSwan's pki sends no User-Agent, takes line ends for digits, reads no chunks and nothing beyond the
// answer's first TLS record. Other clients have lines.
func TestPlainClients(t *testing.T) {
	r := newRig(t)
	config := func(cn string) object {
		return object{"KeyAlgorithm": "RSA_2048", "SigningAlgorithm": "SHA256WITHRSA", "Subject": object{"CommonName": cn, "Organization": strings.Repeat("Example ", 8)}}
	}
	top, text := r.authority(object{"CertificateAuthorityType": "ROOT", "CertificateAuthorityConfiguration": config("Top")}, "", "")
	r.ca, _ = r.authority(object{"CertificateAuthorityType": "SUBORDINATE", "CertificateAuthorityConfiguration": config("Hosts")}, top, text)
	r.profile("long", time.Hour)
	for agent, plain := range map[string]bool{"": true, "test": false} {
		raw, err := net.Dial("tcp", strings.TrimPrefix(r.https, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		rec := &recorder{Conn: raw}
		conn := tls.Client(rec, &tls.Config{RootCAs: r.roots, ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS12})
		if err := conn.Handshake(); err != nil {
			t.Fatal(err)
		}
		rec.seen.Reset()
		head := "GET /.well-known/est/long/cacerts HTTP/1.1\r\nHost: x\r\n"
		if agent != "" {
			head += "User-Agent: " + agent + "\r\n"
		}
		if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		conn.Close()
		if err != nil || resp.StatusCode != 200 || resp.ContentLength != int64(len(body)) || len(body) < 2048 {
			t.Errorf("agent %q: %v %d, length %d, %d bytes; want more than net/http buffers", agent, err, resp.StatusCode, resp.ContentLength, len(body))
		}
		if bytes.ContainsAny(body, "\r\n ") == plain {
			t.Errorf("agent %q: %s", agent, body)
		}
		for line := range strings.Lines(string(body)) {
			if len(line) > 78 && !plain {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		der, err := base64.StdEncoding.DecodeString(string(body)) // which takes line ends
		if err != nil {
			t.Fatal(err)
		}
		if list, err := certsonly.Decode(der); err != nil || len(list) != 2 {
			t.Errorf("%d certificates, %v", len(list), err)
		}
		if n := rec.data(); n != 1 {
			t.Errorf("agent %q: the answer is in %d TLS records, want 1", agent, n)
		}
	}
}
