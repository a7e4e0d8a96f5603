package rolesanywhere

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// putSubject stores a subject as the audit shipper does.
func (r *controlRig) putSubject(region arn.Region, dn string, seen time.Time, credentials ...store.SubjectCredential) string {
	r.t.Helper()
	id := subjectID(rigAccount, region, dn)
	r.update(func(tx *store.Tx) error {
		return tx.UpsertSubjects([]store.Subject{{Account: rigAccount, Region: region, ID: id, DN: dn, Enabled: true,
			CreatedAt: seen, UpdatedAt: seen, LastSeenAt: seen, Credentials: credentials}})
	})
	return id
}

func TestSubjects(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	seen := time.Date(2026, 4, 20, 13, 32, 46, 129722000, time.UTC)
	cert := newRigCA(t, "x").pem
	id := rig.putSubject(rigRegion, "CN=worker,O=Example", seen, store.SubjectCredential{Serial: "1a2b", Issuer: "CN=Root", SeenAt: seen, CertPEM: cert, Enabled: true, Failed: true})
	rig.putSubject("us-east-1", "CN=elsewhere", seen)
	const stamp = "2026-04-20T13:32:46.129722Z"
	summary := object{
		"subjectArn": "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/" + id, "subjectId": id, "enabled": true,
		"x509Subject": "CN=worker,O=Example", "lastSeenAt": stamp, "createdAt": stamp, "updatedAt": stamp,
	}
	list := rig.send(rig.root, "GET", "/subjects", nil).ok(200, "")
	if d := cmp.Diff([]any{any(summary)}, list["subjects"]); d != "" {
		t.Errorf("ListSubjects (-want +got):\n%s", d)
	}
	detail := object{"credentials": []any{object{"seenAt": stamp, "serialNumber": "1a2b", "issuer": "CN=Root", "enabled": true, "x509CertificateData": cert, "failed": true}}, "instanceProperties": []any{}}
	for k, v := range summary {
		detail[k] = v
	}
	if d := cmp.Diff(detail, rig.send(rig.root, "GET", "/subject/"+id, nil).ok(200, "subject")); d != "" {
		t.Errorf("GetSubject (-want +got):\n%s", d)
	}
	rig.send(rig.root, "GET", "/subject/"+noID, nil).missing()
	rig.send(rig.key(rigOther, ""), "GET", "/subject/"+id, nil).missing()

	// Tags survive the next sighting.
	rig.send(rig.root, "POST", "/TagResource", object{"resourceArn": summary["subjectArn"], "tags": tagObjects("team", "blue")}).ok(201, "")
	rig.putSubject(rigRegion, "CN=worker,O=Example", seen.Add(time.Hour))
	tags := rig.send(rig.root, "GET", "/ListTagsForResource?resourceArn="+summary["subjectArn"].(string), nil).ok(200, "")
	if d := cmp.Diff([]any{object{"key": "team", "value": "blue"}}, tags["tags"]); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
}
