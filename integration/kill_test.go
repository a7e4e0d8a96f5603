package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// ledger is what the server has acknowledged, over all its lives.
type ledger struct {
	mu       sync.Mutex
	sessions map[string]string // request id → session ARN
	anchors  map[string]string // id → value of its tag, "" for none
	unsure   map[string]bool   // anchors with a change in flight when the server died: present or not, both are right
	gone     map[string]bool   // anchors whose deletion was acknowledged
	users    map[string]bool   // names
}

func (l *ledger) locked(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// load is the mixed load on one life of the server.
type load struct {
	t     *testing.T
	w     *world
	n     *node
	c     *clients
	hc    *http.Client // for CreateSession, kept alive
	l     *ledger
	ctx   context.Context
	cycle int
}

// never is no retries: an acknowledged write is acknowledged once.
func never() aws.Retryer { return aws.NopRetryer{} }

// pause bounds the load: this test is about crashes, not about speed.
const pause = 3 * time.Millisecond

// each runs do until the server is killed. Errors after the kill are what a kill looks like; before it they are failures.
func (d *load) each(what string, do func(i int) error) {
	for i := 0; d.ctx.Err() == nil; i++ {
		if err := do(i); err != nil {
			time.Sleep(50 * time.Millisecond)
			if d.ctx.Err() == nil {
				d.t.Errorf("%s before the kill: %v", what, err)
			}
			return
		}
		time.Sleep(pause)
	}
}

func (d *load) sessions(int) error {
	s, err := d.w.createSession(context.Background(), d.hc, d.n.endpoint, d.w.leaf)
	if err == nil {
		d.l.locked(func() { d.l.sessions[s.requestID] = s.CredentialSet[0].AssumedRoleUser.Arn })
	}
	return err
}

// anchors creates, tags and now and then deletes.
func (d *load) anchors(i int) error {
	ctx := context.Background()
	name := fmt.Sprintf("a-%d-%d", d.cycle, i)
	made, err := d.c.anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: &name, Source: bundle(d.w.ca.pem)})
	if err != nil {
		return err
	}
	id := *made.TrustAnchor.TrustAnchorId
	d.l.locked(func() { d.l.anchors[id] = "" })
	if i%3 == 0 {
		d.l.locked(func() { d.l.unsure[id] = true })
		if _, err := d.c.anywhere.DeleteTrustAnchor(ctx, &rolesanywhere.DeleteTrustAnchorInput{TrustAnchorId: &id}); err != nil {
			return err
		}
		d.l.locked(func() {
			delete(d.l.unsure, id)
			delete(d.l.anchors, id)
			d.l.gone[id] = true
		})
		return nil
	}
	if _, err := d.c.anywhere.TagResource(ctx, &rolesanywhere.TagResourceInput{ResourceArn: made.TrustAnchor.TrustAnchorArn, Tags: []ratypes.Tag{{Key: aws.String("name"), Value: &name}}}); err != nil {
		return err
	}
	d.l.locked(func() { d.l.anchors[id] = name })
	return nil
}

func (d *load) usersOf(worker int) func(int) error {
	return func(i int) error {
		name := fmt.Sprintf("u-%d-%d-%d", d.cycle, worker, i)
		_, err := d.c.iam.CreateUser(context.Background(), &iam.CreateUserInput{UserName: &name})
		if err == nil {
			d.l.locked(func() { d.l.users[name] = true })
		}
		return err
	}
}

// TestKilled kills the server at random points under a mixed load: it always comes back, and has lost nothing that it had
// acknowledged, neither a resource nor the record of a session.
func TestKilled(t *testing.T) {
	n := serve(t, nodeConfig{dir: t.TempDir()})
	dir, root := n.dir, n.root
	w := newWorld(t, n.as(t, root), n.account)
	l := &ledger{sessions: map[string]string{}, anchors: map[string]string{w.anchorID: ""}, unsure: map[string]bool{}, gone: map[string]bool{}, users: map[string]bool{}}
	for cycle := range *kills {
		ctx, dead := context.WithCancel(t.Context())
		d := &load{t: t, w: w, n: n, l: l, ctx: ctx, cycle: cycle, hc: n.client(), c: n.as(t, root, config.WithRetryer(never))}
		var workers sync.WaitGroup
		workers.Go(func() { d.each("CreateSession", d.sessions) })
		workers.Go(func() { d.each("CreateSession", d.sessions) })
		workers.Go(func() { d.each("trust anchors", d.anchors) })
		workers.Go(func() { d.each("users", d.usersOf(0)) })
		time.Sleep(time.Duration(rand.IntN(350)) * time.Millisecond)
		dead()
		n.kill()
		workers.Wait()
		n = serve(t, nodeConfig{dir: dir}) // it comes back
		if t.Failed() {
			t.Fatalf("after kill %d", cycle+1)
		}
	}
	t.Logf("%d kills; acknowledged: %d sessions, %d anchors kept and %d deleted, %d users", *kills, len(l.sessions), len(l.anchors), len(l.gone), len(l.users))
	if *kills >= 10 && (len(l.sessions) < *kills || len(l.anchors) < *kills || len(l.gone) == 0 || len(l.users) < *kills) {
		t.Error("there was hardly any load: this test proves nothing")
	}
	c := n.as(t, root)
	checkAnchors(t, c, l)
	checkUsers(t, c, l)
	checkRecorded(t, c, l)
	n.stop(t)
}

func checkAnchors(t *testing.T, c *clients, l *ledger) {
	t.Helper()
	there := map[string]*ratypes.TrustAnchorDetail{}
	pages := rolesanywhere.NewListTrustAnchorsPaginator(c.anywhere, &rolesanywhere.ListTrustAnchorsInput{PageSize: aws.Int32(100)})
	for pages.HasMorePages() {
		for _, a := range must(pages.NextPage(t.Context()))(t).TrustAnchors {
			there[*a.TrustAnchorId] = &a
		}
	}
	for id, tag := range l.anchors {
		a := there[id]
		if a == nil {
			if !l.unsure[id] {
				t.Errorf("anchor %s is lost", id)
			}
			continue
		}
		if tag == "" {
			continue
		}
		tags := must(c.anywhere.ListTagsForResource(t.Context(), &rolesanywhere.ListTagsForResourceInput{ResourceArn: a.TrustAnchorArn}))(t).Tags
		if len(tags) != 1 || *tags[0].Value != tag {
			t.Errorf("anchor %s has tags %v, want %s", id, tags, tag)
		}
	}
	for id := range l.gone {
		if there[id] != nil {
			t.Errorf("anchor %s is back after its deletion", id)
		}
	}
}

func checkUsers(t *testing.T, c *clients, l *ledger) {
	t.Helper()
	there := map[string]bool{}
	pages := iam.NewListUsersPaginator(c.iam, &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	for pages.HasMorePages() {
		for _, u := range must(pages.NextPage(t.Context()))(t).Users {
			there[*u.UserName] = true
		}
	}
	for name := range l.users {
		if !there[name] {
			t.Errorf("user %s is lost", name)
		}
	}
}

// checkRecorded finds the event of each acknowledged session exactly once, and of each acknowledged write too.
func checkRecorded(t *testing.T, c *clients, l *ledger) {
	t.Helper()
	within(t, 15*time.Second, func() error {
		found := eventsByRequest(t, c, "CreateSession")
		for id, session := range l.sessions {
			if got := found[id]; got != 1 {
				return fmt.Errorf("session %s (request %s) is recorded %d times", session, id, got)
			}
		}
		for _, n := range found {
			if n != 1 {
				return errors.New("an event is there twice")
			}
		}
		return nil
	})
	for name, want := range map[string]int{"CreateUser": len(l.users), "CreateTrustAnchor": len(l.anchors) + len(l.gone), "DeleteTrustAnchor": len(l.gone)} {
		found := eventsByRequest(t, c, name)
		if len(found) < want {
			t.Errorf("%s: %d events for %d acknowledged calls", name, len(found), want)
		}
		for _, n := range found {
			if n != 1 {
				t.Errorf("%s: an event is there %d times", name, n)
			}
		}
	}
}

// eventsByRequest counts events of one name by request id.
func eventsByRequest(t *testing.T, c *clients, name string) map[string]int {
	t.Helper()
	found := map[string]int{}
	pages := cloudtrail.NewLookupEventsPaginator(c.trail, &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(50),
		LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: cttypes.LookupAttributeKeyEventName, AttributeValue: &name}}})
	var ids []string
	for pages.HasMorePages() {
		for _, e := range must(pages.NextPage(t.Context()))(t).Events {
			var record struct{ RequestID string }
			if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil || record.RequestID == "" {
				t.Fatalf("%v: %s", err, *e.CloudTrailEvent)
			}
			found[record.RequestID]++
			ids = append(ids, *e.EventId)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(ids) {
		t.Errorf("%s: an event id is there twice", name)
	}
	return found
}
