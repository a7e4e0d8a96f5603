package integration

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// However a path is written, it never reaches what the policy forbids. Each request is signed for exactly the path that is
// sent; clients would clean some of them.
func TestS3PathTricks(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "pub/x", "secret/x")
	g.fill(t, "other", "secret/x")
	w, _ := s3World(t, g, document(
		statement("Allow", "s3:GetObject s3:PutObject s3:DeleteObject", "arn:aws:s3:::data/pub/*", ""),
		statement("Allow", "s3:ListBucket", "arn:aws:s3:::data", `{"StringLike":{"s3:prefix":"pub/*"}}`)))
	creds := w.login(t, g.node).credentials()
	if status, body := g.raw(t, creds, "GET", "/data/pub/x", nil); status != 200 || body != "content of pub/x" {
		t.Fatalf("what is allowed: %d %s", status, body)
	}
	// The gateway does resolve such paths: it is the policy that holds.
	if status, body := g.raw(t, g.admin, "GET", "/data/pub/../secret/x", nil); status != 200 || body != "content of secret/x" {
		t.Errorf("as the gateway's administrator: %d %s", status, body)
	}
	paths := []string{
		"/data/secret/x", "/data/pub/../secret/x", "/data/./secret/x", "/data//secret/x", "/data/pub/%2e%2e/secret/x", "/data/pub/%2E%2E/secret/x",
		"/data/pub%2f..%2fsecret%2fx", "/data/pub/..%2fsecret/x", "/data/pub/.%2e/secret/x", "/data/pub/../../other/secret/x", "/data/pub/../../data/secret/x",
		"/data/pub/../pub/../secret/x", "/data/pub//../../secret/x", "/data/pub/x/../../secret/x", "/data/secret%2fx", "/data/%73ecret/x", "//data/secret/x",
		"/data/../other/secret/x", "/pub/../data/secret/x", "/data/pub/%252e%252e/secret/x", "/data/pub/..;/secret/x", "/data/pub/%5c..%5csecret/x",
		"/other/secret/x", "/data%2fsecret%2fx", "/data/secret/x%00", "/data/secret/x?versionId=null", "/data/pub/../secret/x?versionId=null",
	}
	for _, path := range paths {
		if status, body := g.raw(t, creds, "GET", path, nil); status == 200 && strings.HasPrefix(body, "content of secret") || status < 300 {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
		g.raw(t, creds, "PUT", path, []byte("overwritten"))
		g.raw(t, creds, "DELETE", path, nil)
		for _, source := range []string{strings.TrimPrefix(path, "/"), path, url.QueryEscape(strings.TrimPrefix(path, "/")), url.QueryEscape(path)} {
			status, body := g.raw(t, creds, "PUT", "/data/pub/copy", nil, "X-Amz-Copy-Source", source)
			if status < 300 {
				t.Errorf("copy from %s: %d %s", source, status, body)
			}
		}
	}
	for _, prefix := range []string{"", "secret/", "pub/../secret/", "pub%2F..%2Fsecret%2F", "%2Fsecret", "./"} {
		if status, body := g.raw(t, creds, "GET", "/data?list-type=2&prefix="+prefix, nil); strings.Contains(body, "<Key>secret/x</Key>") {
			t.Errorf("list with prefix %q: %d %s", prefix, status, body)
		}
	}
	g.batchDelete(t, creds)
	for _, kept := range []string{"data/secret/x", "other/secret/x"} {
		if text, err := os.ReadFile(filepath.Join(g.files, kept)); err != nil || string(text) != "content of secret/x" {
			t.Errorf("%s is now %q, %v", kept, text, err)
		}
	}
	if entries := must(os.ReadDir(filepath.Join(g.files, "data")))(t); len(entries) > 3 { // pub, secret, the gateway's own folder
		t.Errorf("made beside what the policy allows: %v", entries)
	}
}

// batchDelete deletes keys in one request: each stands for itself.
func (g *s3Gateway) batchDelete(t *testing.T, creds aws.Credentials) {
	t.Helper()
	keys := []string{"pub/../secret/x", "./secret/x", "/secret/x", "secret//x", "secret/x", "pub/../../other/secret/x", "pub/x"}
	var objects []s3types.ObjectIdentifier
	for _, k := range keys {
		objects = append(objects, s3types.ObjectIdentifier{Key: aws.String(k)})
	}
	out := must(g.s3(t, creds).DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("data"), Delete: &s3types.Delete{Objects: objects}}))(t)
	if len(out.Deleted) != 1 || aws.ToString(out.Deleted[0].Key) != "pub/x" || len(out.Errors) != len(keys)-1 {
		t.Errorf("batch delete: deleted %d, refused %d of %d", len(out.Deleted), len(out.Errors), len(keys))
	}
	for _, e := range out.Errors {
		if aws.ToString(e.Code) != "AccessDenied" {
			t.Errorf("%s: %s", aws.ToString(e.Key), aws.ToString(e.Code))
		}
	}
}
