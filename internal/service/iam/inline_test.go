package iam_test

import (
	"strings"
	"testing"
)

func TestInlinePolicies(t *testing.T) {
	for _, k := range []struct {
		kind, noun string
		limit      int
	}{{"Role", "role", 10240}, {"User", "user", 2048}, {"Group", "group", 5120}} {
		t.Run(k.kind, func(t *testing.T) {
			e := start(t)
			name := k.kind + "Name"
			if k.kind == "Role" {
				e.role("Own")
			} else {
				e.do("Create"+k.kind, name, "Own")
			}
			e.do("Put"+k.kind+"Policy", name, "own", "PolicyName", "b", "PolicyDocument", readS3)
			e.do("Put"+k.kind+"Policy", name, "Own", "PolicyName", "a", "PolicyDocument", readS3)
			got := e.do("Get"+k.kind+"Policy", name, "OWN", "PolicyName", "a").has(name, "Own", "PolicyName", "a")
			if doc := got.document("PolicyDocument"); doc != readS3 {
				t.Errorf("document %q", doc)
			}
			if names := e.do("List"+k.kind+"Policies", name, "own").all("member"); strings.Join(names, " ") != "a b" {
				t.Errorf("names %q", names)
			}
			page := e.do("List"+k.kind+"Policies", name, "own", "MaxItems", "1").has("member", "a", "IsTruncated", "true")
			e.do("List"+k.kind+"Policies", name, "own", "MaxItems", "1", "Marker", page.one("Marker")).has("member", "b", "IsTruncated", "false")

			changed := strings.Replace(readS3, "Get", "List", 1)
			e.do("Put"+k.kind+"Policy", name, "own", "PolicyName", "a", "PolicyDocument", changed)
			if doc := e.do("Get"+k.kind+"Policy", name, "own", "PolicyName", "a").document("PolicyDocument"); doc != changed {
				t.Errorf("document %q", doc)
			}
			e.refused(409, "DeleteConflict", "Cannot delete entity, must delete policies first.", "Delete"+k.kind, name, "own")
			e.do("Delete"+k.kind+"Policy", name, "own", "PolicyName", "a")
			missing := "The " + k.noun + " policy with name a cannot be found."
			e.refused(404, "NoSuchEntity", missing, "Get"+k.kind+"Policy", name, "own", "PolicyName", "a")
			e.refused(404, "NoSuchEntity", missing, "Delete"+k.kind+"Policy", name, "own", "PolicyName", "a")

			// The quota is on all documents together, white space not counted; what is replaced does not count.
			half := filler(k.limit/2 + 1)
			e.do("Delete"+k.kind+"Policy", name, "own", "PolicyName", "b")
			e.do("Put"+k.kind+"Policy", name, "own", "PolicyName", "a", "PolicyDocument", half)
			e.do("Put"+k.kind+"Policy", name, "own", "PolicyName", "a", "PolicyDocument", strings.Replace(half, `"Action"`, strings.Repeat(" ", k.limit)+`"Action"`, 1))
			e.refused(409, "LimitExceeded", "Maximum policy size of "+itoa(k.limit)+" bytes exceeded for "+k.noun+" Own", "Put"+k.kind+"Policy", name, "own", "PolicyName", "b", "PolicyDocument", half)
			e.do("Put"+k.kind+"Policy", name, "own", "PolicyName", "b", "PolicyDocument", filler(k.limit-k.limit/2-1))

			for doc, want := range map[string]string{
				`{}`: "Syntax errors in policy.",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Principal":"*"}]}`: "Policy document should not specify a principal.",
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"Get","Resource":"*"}]}`:                     "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
			} {
				status, code, message := e.try("Put"+k.kind+"Policy", name, "own", "PolicyName", "bad", "PolicyDocument", doc)
				if status != 400 || code != "MalformedPolicyDocument" || !strings.HasPrefix(message, want) {
					t.Errorf("%s: got %d %s %q, want %q", doc, status, code, message, want)
				}
			}
		})
	}
}

// filler is a valid identity policy of exactly size characters, white space not counted.
func filler(size int) string {
	empty := strings.Replace(readS3, `"Effect"`, `"Sid":"","Effect"`, 1)
	return strings.Replace(empty, `"Sid":""`, `"Sid":"`+strings.Repeat("a", size-len(empty))+`"`, 1)
}

func TestAttachments(t *testing.T) {
	for _, kind := range []string{"Role", "User", "Group"} {
		t.Run(kind, func(t *testing.T) {
			e := start(t)
			name := kind + "Name"
			if kind == "Role" {
				e.role("Own")
			} else {
				e.do("Create"+kind, name, "Own")
			}
			var policies []string
			for i := range 11 {
				policies = append(policies, e.policy("p"+string(rune('a'+i))))
			}
			for range 2 { // attaching again is no error
				e.do("Attach"+kind+"Policy", name, "own", "PolicyArn", policies[0])
			}
			e.do("ListAttached"+kind+"Policies", name, "OWN").has("PolicyName", "pa", "PolicyArn", policies[0], "IsTruncated", "false")
			e.refused(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.", "Delete"+kind, name, "own")
			e.refused(409, "DeleteConflict", "Cannot delete a policy attached to entities.", "DeletePolicy", "PolicyArn", policies[0])
			for _, p := range policies[1:10] {
				e.do("Attach"+kind+"Policy", name, "own", "PolicyArn", p)
			}
			e.refused(409, "LimitExceeded", "Cannot exceed quota for PoliciesPer"+kind+": 10", "Attach"+kind+"Policy", name, "own", "PolicyArn", policies[10])
			e.do("Attach"+kind+"Policy", name, "own", "PolicyArn", policies[9])
			if got := walk(e, "PolicyArn", 3, "ListAttached"+kind+"Policies", name, "own"); strings.Join(got, " ") != strings.Join(policies[:10], " ") {
				t.Errorf("attached %q", got)
			}
			e.do("ListAttached"+kind+"Policies", name, "own", "PathPrefix", "/none/").lacks("member")
			e.do("Detach"+kind+"Policy", name, "own", "PolicyArn", policies[0])
			e.refused(404, "NoSuchEntity", "Policy "+policies[0]+" was not found.", "Detach"+kind+"Policy", name, "own", "PolicyArn", policies[0])
			none := arnOf("policy/none")
			e.refused(404, "NoSuchEntity", "Policy "+none+" does not exist or is not attachable.", "Attach"+kind+"Policy", name, "own", "PolicyArn", none)
			foreign := "arn:aws:iam::210987654321:policy/pa"
			e.refused(404, "NoSuchEntity", "Policy "+foreign+" does not exist or is not attachable.", "Attach"+kind+"Policy", name, "own", "PolicyArn", foreign)
			e.refused(400, "InvalidInput", "ARN this-is-not-an-arn-at-all is not valid.", "Attach"+kind+"Policy", name, "own", "PolicyArn", "this-is-not-an-arn-at-all")
		})
	}
}

// walk follows the markers of a list and returns one element of every entry.
func walk(e *env, element string, items int, action string, params ...string) []string {
	e.t.Helper()
	var out []string
	params = append(params, "MaxItems", itoa(items))
	for marker := ""; ; {
		p := params
		if marker != "" {
			p = append(params[:len(params):len(params)], "Marker", marker)
		}
		r := e.do(action, p...)
		got := r.all(element)
		if len(got) > items {
			e.t.Fatalf("%s gave %d entries for MaxItems %d", action, len(got), items)
		}
		out = append(out, got...)
		if r.one("IsTruncated") == "false" {
			r.lacks("Marker")
			return out
		}
		marker = r.one("Marker")
	}
}
