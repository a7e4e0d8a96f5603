package quickstart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rolecall/rolecall/internal/awsclient"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	bucketName    = "quickstart"
	objectKey     = "hello.txt"
	objectContent = "Hello from a real S3 store."

	s3PolicyName = "AmazonS3ReadOnlyAccess"
	s3PolicyARN  = "arn:aws:iam::aws:policy/" + s3PolicyName
)

// s3Steps show the credentials at a real S3 store.
func (q *run) s3Steps() []step {
	return []step{
		{"start an S3 gateway beside the server, which is its IAM", q.startGateway},
		{"create a bucket with an object, as the account's root", q.createBucket},
		{"let the role read S3: " + s3PolicyName, q.allowS3},
		{"read the object with the temporary credentials", q.readObject},
		{"try to write it with them", q.writeObject},
	}
}

// s3Error is an error answer of S3.
type s3Error struct {
	Code    string
	Message string
}

func (e *s3Error) Error() string { return e.Code + ": " + e.Message }

// s3 makes one request to the gateway.
func (q *run) s3(ctx context.Context, k awsclient.Keys, method, path, body string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, method, q.gateway.endpoint+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken,
		Region: region, Service: "s3", Time: time.Now(), BodySHA256: hash, Style: sigv4.S3,
	})
	if err != nil {
		return "", err
	}
	resp, err := q.gateway.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil || resp.StatusCode < 300 {
		return string(answer), err
	}
	e := &s3Error{Code: resp.Status}
	if err := xml.Unmarshal(answer, e); err != nil {
		e.Message = string(answer)
	}
	return "", e
}

func (q *run) createBucket(ctx context.Context) (string, error) {
	if _, err := q.s3(ctx, q.root, http.MethodPut, "/"+bucketName, ""); err != nil {
		return "", err
	}
	_, err := q.s3(ctx, q.root, http.MethodPut, "/"+bucketName+"/"+objectKey, objectContent)
	return "s3://" + bucketName + "/" + objectKey, err
}

func (q *run) allowS3(ctx context.Context) (string, error) {
	return s3PolicyARN, q.api.attachRolePolicy(ctx, q.root, roleName, s3PolicyARN)
}

func (q *run) readObject(ctx context.Context) (string, error) {
	text, err := q.s3(ctx, q.session, http.MethodGet, "/"+bucketName+"/"+objectKey, "")
	if err == nil && text != objectContent {
		err = fmt.Errorf("read %q instead of what was written", text)
	}
	return text, err
}

// writeObject must fail: the role may only read.
func (q *run) writeObject(ctx context.Context) (string, error) {
	_, err := q.s3(ctx, q.session, http.MethodPut, "/"+bucketName+"/"+objectKey, "overwritten")
	if err == nil {
		return "", errors.New("the write went through, although the role may only read")
	}
	if e, ok := errors.AsType[*s3Error](err); !ok || e.Code != "AccessDenied" {
		return "", err
	}
	return err.Error(), nil
}

// s3Line is what to paste for S3, if it runs.
func (q *run) s3Line() string {
	if q.gateway == nil {
		return ""
	}
	return fmt.Sprintf("  aws --endpoint-url %s s3 cp s3://%s/%s -\n", q.gateway.endpoint, bucketName, objectKey)
}
