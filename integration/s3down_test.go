package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Without rolecalld the gateway refuses; with it again, everything goes on, the same session included.
func TestS3ServerDown(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "a.txt")
	w, _ := s3World(t, g, document(statement("Allow", "s3:*", "*", "")))
	client := g.s3(t, w.login(t, g.node).credentials())
	put := func(key string) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: &key, Body: strings.NewReader("content of " + key)})
		return err
	}
	if err := put("before"); err != nil {
		t.Fatal(err)
	}
	args := []string{"--s3-iam-socket", filepath.Join(g.dir, "s3", "iam.sock")}
	for _, end := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		g.node.process.Signal(end)
		g.node.wait(t)
		if _, err := read(t.Context(), client, "data", "a.txt"); s3Code(err) != "InternalError" {
			t.Errorf("read after %s: %v, want InternalError", end, err)
		}
		if err := put("during"); s3Code(err) != "InternalError" {
			t.Errorf("write after %s: %v, want InternalError", end, err)
		}
		if _, err := os.Stat(filepath.Join(g.files, "data", "during")); !os.IsNotExist(err) {
			t.Errorf("what was refused is there: %v", err)
		}
		g.node = serve(t, nodeConfig{dir: g.dir, args: args}) // a socket that SIGKILL left is replaced
		within(t, 5*time.Second, func() error { return put("after") })
		for _, key := range []string{"a.txt", "before", "after"} {
			if text, err := read(t.Context(), client, "data", key); err != nil || text != "content of "+key {
				t.Errorf("%s after %s: %q, %v", key, end, text, err)
			}
		}
	}
	checkMode(t, filepath.Join(g.dir, "s3-gateway.env"), 0o600)
	checkMode(t, filepath.Join(g.dir, "s3"), 0o700)
	checkMode(t, filepath.Join(g.dir, "s3", "iam.sock"), 0o600)
	if strings.Contains(g.output.String()+g.stdout.String()+g.stderr.String(), g.admin.SecretAccessKey) {
		t.Error("a log shows the gateway's secret")
	}
}
