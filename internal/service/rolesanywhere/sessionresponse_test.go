package rolesanywhere

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What is written by hand reads back as what it was, whatever the texts hold.
func TestSessionResponseIsItsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return rapid.String().Draw(t, name) }
		want := sessionResponse{SubjectArn: text("subject"), CredentialSet: []credentialSet{{
			AssumedRoleUser:  assumedRoleUser{Arn: text("arn"), AssumedRoleID: text("id")},
			Credentials:      credentials{AccessKeyID: text("key"), Expiration: time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "expiration"), 0).UTC(), SecretAccessKey: text("secret"), SessionToken: text("token")},
			PackedPolicySize: rapid.IntRange(0, 100).Draw(t, "packed"), RoleArn: text("role"), SourceIdentity: text("source"),
		}}}
		var got sessionResponse
		if err := json.Unmarshal(want.append(nil), &got); err != nil {
			t.Fatalf("%v in %s", err, want.append(nil))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read back (-want +got):\n%s", diff)
		}
	})
}
