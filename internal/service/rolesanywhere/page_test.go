package rolesanywhere

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// walk reads a whole list in pages and returns the ids and the number of pages.
func (r *controlRig) walk(path, member, id string, pageSize int) (ids []string, pages int) {
	r.t.Helper()
	for token := ""; ; {
		q := url.Values{}
		if pageSize != 0 {
			q.Set("pageSize", fmt.Sprint(pageSize))
		}
		if token != "" {
			q.Set("nextToken", token)
		}
		got := r.send(r.root, "GET", path+"?"+q.Encode(), nil).ok(200, "")
		pages++
		items := got[member].([]any)
		if pageSize != 0 && len(items) > pageSize {
			r.t.Fatalf("a page of %d, want at most %d", len(items), pageSize)
		}
		for _, it := range items {
			ids = append(ids, it.(object)[id].(string))
		}
		if got["nextToken"] == nil {
			return ids, pages
		}
		token = got["nextToken"].(string)
	}
}

func TestPaging(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	ca := newRigCA(t, "Root")
	anchor := rig.anchor(ca.pem, nil)["trustAnchorId"].(string)
	const n = 123
	crl := ca.crl(t)
	rig.update(func(tx *store.Tx) error {
		for range n - 1 {
			if err := tx.CreateTrustAnchor(&store.TrustAnchor{Account: rigAccount, Region: rigRegion, ID: arn.NewUUID(), Name: "a", SourceType: sourceCertificateBundle, SourceData: ca.pem, CreatedAt: tx.Now, UpdatedAt: tx.Now}); err != nil {
				return err
			}
		}
		for range n {
			if err := tx.CreateProfile(&store.Profile{Account: rigAccount, Region: rigRegion, ID: arn.NewUUID(), Name: "p", Duration: 900, CreatedAt: tx.Now, UpdatedAt: tx.Now}); err != nil {
				return err
			}
			if err := tx.CreateCRL(&store.CRL{Account: rigAccount, Region: rigRegion, ID: arn.NewUUID(), Name: "c", Data: crl, TrustAnchorID: anchor, CreatedAt: tx.Now, UpdatedAt: tx.Now}); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range n {
		rig.putSubject(rigRegion, fmt.Sprintf("CN=%d", i), time.Now())
	}
	for _, l := range []struct{ path, member, id string }{
		{"/trustanchors", "trustAnchors", "trustAnchorId"}, {"/profiles", "profiles", "profileId"}, {"/crls", "crls", "crlId"}, {"/subjects", "subjects", "subjectId"},
	} {
		for _, c := range []struct{ size, pages int }{{0, 3}, {41, 3}, {50, 3}, {100, 2}, {123, 2}, {100_000, 2}, {7, 18}} {
			ids, pages := rig.walk(l.path, l.member, l.id, c.size)
			seen := map[string]bool{}
			for _, id := range ids {
				seen[id] = true
			}
			if len(ids) != n || len(seen) != n || pages != c.pages {
				t.Errorf("%s by %d: %d items, %d different, in %d pages; want %d in %d", l.path, c.size, len(ids), len(seen), pages, n, c.pages)
			}
		}
		for _, size := range []string{"0", "-1", "-2147483648"} {
			rig.send(rig.root, "GET", l.path+"?pageSize="+size, nil).invalid("'pageSize'", "greater than or equal to 1")
		}
		for _, bad := range []string{"x", "AAAA", strings.Repeat("A", 34), strings.Repeat("A", 10_000)} {
			rig.send(rig.root, "GET", l.path+"?nextToken="+bad, nil).invalid("Invalid next token")
		}
		rig.send(rig.root, "GET", l.path+"?nextToken=", nil).invalid("'nextToken'")
		rig.send(rig.root, "GET", l.path+"?nextToken="+strings.Repeat("A", 10_001), nil).invalid("'nextToken'")
	}
	// A token is good for one list, account and region.
	token := rig.send(rig.root, "GET", "/profiles?pageSize=1", nil).ok(200, "")["nextToken"].(string)
	rig.send(rig.root, "GET", "/profiles?nextToken="+token, nil).ok(200, "")
	rig.send(rig.root, "GET", "/crls?nextToken="+token, nil).invalid("Invalid next token")
	rig.send(rig.root.in("us-east-1"), "GET", "/profiles?nextToken="+token, nil).invalid("Invalid next token")
	rig.send(rig.key(rigOther, ""), "GET", "/profiles?nextToken="+token, nil).invalid("Invalid next token")
}

func TestLargePagesEndEarly(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	anchor := rig.anchor(newRigCA(t, "Root").pem, nil)["trustAnchorId"].(string)
	rig.update(func(tx *store.Tx) error {
		for range 20 {
			err := tx.CreateCRL(&store.CRL{Account: rigAccount, Region: rigRegion, ID: arn.NewUUID(), Name: "c", Data: make([]byte, 300_000), TrustAnchorID: anchor, CreatedAt: tx.Now, UpdatedAt: tx.Now})
			if err != nil {
				return err
			}
		}
		return nil
	})
	ids, pages := rig.walk("/crls", "crls", "crlId", 20)
	if len(ids) != 20 || pages != 3 {
		t.Errorf("%d items in %d pages, want 20 in 3 (7 lists of 300,000 bytes fill one)", len(ids), pages)
	}
}

func TestPageTokenHoldsItsID(t *testing.T) {
	call := &awsapi.Call{Account: rigAccount, Region: rigRegion}
	for range 100 {
		id := arn.NewUUID()
		token := pageToken(call, kindProfile, id)
		got, err := openPageToken(call, kindProfile, token)
		if err != nil || got != id {
			t.Fatalf("got %q, %v, want %q", got, err, id)
		}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			raw[i] ^= 1
			if _, err := openPageToken(call, kindProfile, base64.RawURLEncoding.EncodeToString(raw)); err == nil {
				t.Fatalf("a token with byte %d changed was taken", i)
			}
			raw[i] ^= 1
		}
	}
}

// FuzzPageToken: what opens is the token that would be made for what it holds.
func FuzzPageToken(f *testing.F) {
	call := &awsapi.Call{Account: rigAccount, Region: rigRegion}
	f.Add(pageToken(call, kindProfile, noID))
	f.Add(pageToken(call, kindCRL, noID))
	f.Add("")
	f.Add(strings.Repeat("A", 34))
	f.Add(pageToken(call, kindProfile, noID) + "\n")
	f.Fuzz(func(t *testing.T, token string) {
		id, err := openPageToken(call, kindProfile, token)
		if err != nil {
			return
		}
		if !isID(id) {
			t.Errorf("%q opens as %q", token, id)
		}
		if again := pageToken(call, kindProfile, id); cmp.Diff(token, again) != "" {
			t.Errorf("%q opens as the id of %q", token, again)
		}
	})
}

// FuzzResourceARN: what is taken is the canonical ARN of a resource of the caller.
func FuzzResourceARN(f *testing.F) {
	call := &awsapi.Call{Account: rigAccount, Region: rigRegion, Partition: "aws"}
	f.Add("arn:aws:rolesanywhere:eu-central-1:123456789012:profile/" + noID)
	f.Add("arn:aws:rolesanywhere:eu-central-1:123456789012:subject/x")
	f.Add("arn:aws:rolesanywhere:us-east-1:123456789012:crl/" + noID)
	f.Add("arn:aws:iam::123456789012:role/x")
	f.Fuzz(func(t *testing.T, text string) {
		k, id, err := parseResource(call, text)
		if err != nil {
			return
		}
		if want := resourceARN(call, k, id); text != want || !isID(id) {
			t.Errorf("%q was taken for %q", text, want)
		}
	})
}
