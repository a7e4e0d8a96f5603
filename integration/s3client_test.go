package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// shell is what a program needs to be this session at the gateway.
func (g *s3Gateway) shell(t *testing.T, creds aws.Credentials) (home string, env []string) {
	home = t.TempDir()
	return home, environment(home, "AWS_ACCESS_KEY_ID="+creds.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+creds.SecretAccessKey, "AWS_SESSION_TOKEN="+creds.SessionToken,
		"AWS_CA_BUNDLE="+g.caFile(), "AWS_DEFAULT_REGION="+gatewayRegion, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
}

const readAndWriteData = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject","s3:ListMultipartUploadParts","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::data/mine/*"},
	{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}]}`

// The AWS CLI, with credentials of a certificate's session.
func TestS3CLI(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "other/x")
	w, _ := s3World(t, g, readAndWriteData)
	home, env := g.shell(t, w.login(t, g.node).credentials())
	// The CLI signs presigned URLs with version 2 unless it is told otherwise.
	if err := os.WriteFile(filepath.Join(home, "config"), []byte("[default]\ns3 =\n  signature_version = s3v4\n  addressing_style = path\n  multipart_threshold = 8MB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(env, "AWS_CONFIG_FILE="+filepath.Join(home, "config"))
	cli := func(args ...string) outcome {
		return run(t, home, env, tool(t, "aws"), append([]string{"--endpoint-url", g.endpoint}, args...)...)
	}
	works := func(args ...string) string {
		t.Helper()
		got := cli(args...)
		if got.code != 0 {
			t.Errorf("aws %s: %s%s", strings.Join(args, " "), got.stdout, got.stderr)
		}
		return got.stdout
	}
	refused := func(action string, args ...string) {
		t.Helper()
		if got := cli(args...); got.code == 0 || !strings.Contains(got.stderr+got.stdout, "not authorized to perform: "+action) {
			t.Errorf("aws %s: %s%s, want a refusal of %s", strings.Join(args, " "), got.stdout, got.stderr, action)
		}
	}
	big := make([]byte, 12<<20)
	rand.Read(big)
	if err := os.WriteFile(filepath.Join(home, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	works("s3", "cp", "big", "s3://data/mine/big") // multipart: above 8 MB
	works("s3", "cp", "s3://data/mine/big", "back")
	if back := must(os.ReadFile(filepath.Join(home, "back")))(t); !bytes.Equal(back, big) {
		t.Error("what came back is something else")
	}
	works("s3api", "get-object", "--bucket", "data", "--key", "mine/big", "--range", "bytes=1000-1999", "range")
	if part := must(os.ReadFile(filepath.Join(home, "range")))(t); !bytes.Equal(part, big[1000:2000]) {
		t.Error("the range is something else")
	}
	works("s3", "cp", "s3://data/mine/big", "s3://data/mine/copy")
	refused("s3:GetObject", "s3api", "copy-object", "--bucket", "data", "--key", "mine/stolen", "--copy-source", "data/other/x")
	refused("s3:PutObject", "s3", "cp", "big", "s3://data/other/big")
	refused("s3:PutObject", "s3api", "put-object", "--bucket", "data", "--key", "other/x", "--body", "range")
	refused("s3:CreateBucket", "s3api", "create-bucket", "--bucket", "another")
	if list := works("s3", "ls", "s3://data/mine/"); !strings.Contains(list, "big") || !strings.Contains(list, "copy") {
		t.Errorf("list: %s", list)
	}
	var batch struct {
		Deleted []struct{ Key string }
		Errors  []struct{ Key, Code, Message string }
	}
	text := works("s3api", "delete-objects", "--bucket", "data", "--delete", `{"Objects":[{"Key":"mine/copy"},{"Key":"other/x"}]}`, "--output", "json")
	if err := json.Unmarshal([]byte(text), &batch); err != nil || len(batch.Deleted) != 1 || len(batch.Errors) != 1 || batch.Errors[0].Key != "other/x" {
		t.Errorf("batch delete: %s, %v", text, err)
	}
	for key, status := range map[string]int{"mine/big": 200, "other/x": 403} {
		link := strings.TrimSpace(works("s3", "presign", "s3://data/"+key, "--expires-in", "60"))
		if !strings.Contains(link, "X-Amz-Security-Token=") {
			t.Fatalf("not presigned by version 4: %s", link)
		}
		if got, body := get(t, g.client(), link); got != status {
			t.Errorf("presigned %s: %d %.300s", key, got, body)
		}
	}
}

// The SDK streams uploads over HTTPS in chunks whose trailer has their checksum.
func TestS3SDK(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "other/x")
	w, _ := s3World(t, g, readAndWriteData)
	c := g.s3(t, w.login(t, g.node).credentials())
	bucket, key := aws.String("data"), aws.String("mine/streamed")
	body := make([]byte, 3<<20)
	rand.Read(body)
	// A body that cannot be read twice makes the SDK stream it.
	put := func(key *string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: s3types.ChecksumAlgorithmCrc32})
		return err
	}
	if err := put(key); err != nil {
		t.Fatal(err)
	}
	if text, err := read(t.Context(), c, *bucket, *key); err != nil || text != string(body) {
		t.Errorf("streamed: %d bytes, %v", len(text), err)
	}
	if err := put(aws.String("other/streamed")); s3Code(err) != "AccessDenied" {
		t.Errorf("streamed to where it may not go: %v", err)
	}
	up := must(c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("mine/parts")}))(t)
	_, err := c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("data/other/x")})
	if s3Code(err) != "AccessDenied" {
		t.Errorf("a part copied from where it may not read: %v", err)
	}
	part := must(c.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("data/mine/streamed")}))(t)
	must(c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId,
		MultipartUpload: &s3types.CompletedMultipartUpload{Parts: []s3types.CompletedPart{{ETag: part.CopyPartResult.ETag, PartNumber: aws.Int32(1)}}}}))(t)
	presign := s3.NewPresignClient(c)
	for _, tc := range []struct {
		key  string
		want int
	}{{"mine/parts", 200}, {"other/x", 403}} {
		link := must(presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &tc.key}, s3.WithPresignExpires(time.Minute)))(t)
		if status, body := getSigned(t, g.client(), link); status != tc.want {
			t.Errorf("presigned %s: %d %.300s", tc.key, status, body)
		}
	}
}

func getSigned(t *testing.T, c *http.Client, link *v4.PresignedHTTPRequest) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), link.Method, link.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t))
}

// s3cmd is a client that AWS did not write.
func TestS3cmd(t *testing.T) {
	t.Parallel()
	g := serveS3(t)
	g.fill(t, "data", "other/x")
	w, _ := s3World(t, g, readAndWriteData)
	creds := w.login(t, g.node).credentials()
	home, env := g.shell(t, aws.Credentials{})
	host := strings.TrimPrefix(g.endpoint, "https://")
	settings := "[default]\naccess_key = " + creds.AccessKeyID + "\nsecret_key = " + creds.SecretAccessKey + "\naccess_token = " + creds.SessionToken +
		"\nhost_base = " + host + "\nhost_bucket = " + host + "\nuse_https = True\nca_certs_file = " + g.caFile() + "\nbucket_location = " + gatewayRegion + "\nsignature_v2 = False\n"
	if err := os.WriteFile(filepath.Join(home, "s3cfg"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	text := []byte("hello from s3cmd\n")
	if err := os.WriteFile(filepath.Join(home, "in"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := func(args ...string) outcome {
		return run(t, home, env, tool(t, "s3cmd"), append([]string{"-c", "s3cfg"}, args...)...)
	}
	for _, args := range [][]string{{"put", "in", "s3://data/mine/in"}, {"get", "--force", "s3://data/mine/in", "out"}, {"ls", "s3://data/mine/"}} {
		if got := cmd(args...); got.code != 0 {
			t.Errorf("s3cmd %s: %s%s", strings.Join(args, " "), got.stdout, got.stderr)
		}
	}
	if out, err := os.ReadFile(filepath.Join(home, "out")); err != nil || !bytes.Equal(out, text) {
		t.Errorf("what came back: %q, %v", out, err)
	}
	if got := cmd("put", "in", "s3://data/other/in"); got.code == 0 || !strings.Contains(got.stderr, "not authorized to perform: s3:PutObject") {
		t.Errorf("s3cmd put where it may not: exit %d %s%s", got.code, got.stdout, got.stderr)
	}
}
