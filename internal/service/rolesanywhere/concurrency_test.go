package rolesanywhere

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rolecall/rolecall/internal/testdb"
)

// onEveryStore runs a test on each engine: what two calls at once may do to each other is the engine's to prevent.
func onEveryStore(t *testing.T, fn func(t *testing.T, source string)) {
	t.Run("memory", func(t *testing.T) { fn(t, "memory") })
	t.Run("sqlite", func(t *testing.T) { fn(t, "sqlite:"+filepath.Join(t.TempDir(), "rolecall.db")) })
	t.Run("postgres", func(t *testing.T) { fn(t, testdb.Postgres(t)) })
}

// inParallel runs n functions at once and reports what they return.
func inParallel(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() {
			if err := fn(i); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

// TestUpdateAndDeleteAtOnce: an update that loses against a delete must not bring the resource back.
func TestUpdateAndDeleteAtOnce(t *testing.T) { onEveryStore(t, updateAndDeleteAtOnce) }

func updateAndDeleteAtOnce(t *testing.T, source string) {
	rig := newControlRigOn(t, source, Quotas{})
	ca := newRigCA(t, "Root")
	for round := range 10 {
		anchor := rig.anchor(ca.pem, nil)
		id := anchor["trustAnchorId"].(string)
		var mu sync.Mutex
		deleted := 0
		inParallel(t, 12, func(i int) error {
			method, path, body := "PATCH", "/trustanchor/"+id, any(object{"name": fmt.Sprint(i)})
			switch i % 4 {
			case 1:
				method, path, body = "POST", path+"/enable", nil
			case 2:
				method, path, body = "POST", "/TagResource", object{"resourceArn": anchor["trustAnchorArn"], "tags": tagObjects("k", fmt.Sprint(i))}
			case 3:
				method, body = "DELETE", nil
			}
			a, err := rig.try(rig.root, method, path, body)
			if err != nil {
				return err
			}
			if a.status/100 != 2 && a.code != "ResourceNotFoundException" {
				return fmt.Errorf("%s %s: %d %s %s", method, path, a.status, a.code, a.text)
			}
			if method == "DELETE" && a.status == 200 {
				mu.Lock()
				deleted++
				mu.Unlock()
			}
			return nil
		})
		if deleted != 1 {
			t.Fatalf("round %d: deleted %d times, want once", round, deleted)
		}
		rig.send(rig.root, "GET", "/trustanchor/"+id, nil).missing()
	}
}

// TestImportAndDeleteAtOnce: no list outlives its anchor.
func TestImportAndDeleteAtOnce(t *testing.T) { onEveryStore(t, importAndDeleteAtOnce) }

func importAndDeleteAtOnce(t *testing.T, source string) {
	rig := newControlRigOn(t, source, Quotas{})
	ca := newRigCA(t, "Root")
	for range 5 {
		anchor := rig.anchor(ca.pem, nil)
		data := ca.crl(t)
		inParallel(t, 8, func(i int) error {
			if i == 4 {
				_, err := rig.try(rig.root, "DELETE", "/trustanchor/"+anchor["trustAnchorId"].(string), nil)
				return err
			}
			a, err := rig.try(rig.root, "POST", "/crls", object{"name": "c", "crlData": data, "trustAnchorArn": anchor["trustAnchorArn"]})
			if err == nil && a.status != 201 && !strings.Contains(a.text, "wasn't found") {
				err = fmt.Errorf("%d %s %s", a.status, a.code, a.text)
			}
			return err
		})
	}
	if n := len(rig.send(rig.root, "GET", "/crls", nil).ok(200, "")["crls"].([]any)); n != 0 {
		t.Errorf("%d CRLs outlived their anchors", n)
	}
}

// TestNoUpdateIsLost: each of many writers changes another part of one profile.
func TestNoUpdateIsLost(t *testing.T) { onEveryStore(t, noUpdateIsLost) }

func noUpdateIsLost(t *testing.T, source string) {
	rig := newControlRigOn(t, source, Quotas{})
	made := rig.profile(nil)
	id, name := made["profileId"].(string), made["profileArn"].(string)
	inParallel(t, 20, func(i int) error {
		a, err := rig.try(rig.root, "POST", "/TagResource", object{"resourceArn": name, "tags": tagObjects(fmt.Sprint("k", i), "v")})
		if i == 0 {
			a, err = rig.try(rig.root, "PATCH", "/profile/"+id, object{"durationSeconds": 900})
		}
		if err == nil && a.code != "" {
			err = fmt.Errorf("%s %s", a.code, a.text)
		}
		return err
	})
	if got := rig.send(rig.root, "GET", "/profile/"+id, nil).ok(200, "profile"); got["durationSeconds"] != 900.0 {
		t.Errorf("durationSeconds %v", got["durationSeconds"])
	}
	tags := rig.send(rig.root, "GET", "/ListTagsForResource?resourceArn="+name, nil).ok(200, "")["tags"].([]any)
	if len(tags) != 20 {
		t.Errorf("%d tags, want 20", len(tags))
	}
}

// TestQuotaHoldsUnderLoad: creations that race for the last place do not all get it.
func TestQuotaHoldsUnderLoad(t *testing.T) { onEveryStore(t, quotaHoldsUnderLoad) }

func quotaHoldsUnderLoad(t *testing.T, source string) {
	rig := newControlRigOn(t, source, Quotas{Profiles: 3})
	inParallel(t, 12, func(int) error {
		a, err := rig.try(rig.root, "POST", "/profiles", object{"name": "p", "roleArns": []string{}})
		if err == nil && a.status != 201 && !strings.HasPrefix(a.text, "Limit exceeded") {
			err = fmt.Errorf("%d %s %s", a.status, a.code, a.text)
		}
		return err
	})
	if n := len(rig.send(rig.root, "GET", "/profiles", nil).ok(200, "")["profiles"].([]any)); n != 3 {
		t.Errorf("%d profiles, want 3", n)
	}
}
