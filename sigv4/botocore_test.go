package sigv4

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"testing"
)

// Requests that botocore 1.43, the signer of the AWS CLI, has signed: random paths, queries, headers, bodies and
// tokens, in both styles, in the header and presigned.
func TestSignedByBotocore(t *testing.T) {
	data, err := os.ReadFile("testdata/botocore.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Method, Host, Target, Body, Secret, Token, Time string
		Headers                                         [][2]string
		S3, Presigned                                   bool
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("%d cases", len(cases))
	}
	for i, c := range cases {
		r := rawRequest(c.Method, c.Host, c.Target)
		for _, h := range c.Headers {
			r.Header.Add(h[0], h[1])
		}
		r.ContentLength = int64(len(c.Body))
		claims, err := Parse(r)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		k := &Check{Now: mustTime(t, c.Time), BodySHA256: sha256.Sum256([]byte(c.Body))}
		if c.S3 {
			k.Style = S3
		}
		key := DeriveKey(c.Secret, claims.Date, claims.Region, claims.Service)
		if err := claims.Verify(r, key, k); err != nil {
			t.Errorf("case %d: %s %s: %v", i, c.Method, c.Target, err)
		}
		if claims.Presigned != c.Presigned || claims.SecurityToken != c.Token {
			t.Errorf("case %d: presigned %t, token %q", i, claims.Presigned, claims.SecurityToken)
		}
		r.Method += "X"
		wantReason(t, claims.Verify(r, key, k), Mismatch)
	}
}
