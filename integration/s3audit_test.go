package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// deniedEvent waits for an event of a denied request that contains text.
func (g *s3Gateway) deniedEvent(t testing.TB, name, text string) {
	t.Helper()
	within(t, 10*time.Second, func() error {
		for _, e := range g.s3Events(t, name) {
			if strings.Contains(e, `"errorCode":"AccessDenied"`) && strings.Contains(e, text) {
				return nil
			}
		}
		return fmt.Errorf("no event %s with %s", name, text)
	})
}

// s3Events looks events up by name, in the gateway's region.
func (g *s3Gateway) s3Events(t testing.TB, name string) (out []string) {
	t.Helper()
	c := g.as(t, g.root)
	found := must(c.trail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: cttypes.LookupAttributeKeyEventName, AttributeValue: aws.String(name)}},
	}, func(o *cloudtrail.Options) { o.Region = gatewayRegion }))(t)
	for _, e := range found.Events {
		out = append(out, aws.ToString(e.CloudTrailEvent))
	}
	return out
}

// Allowed requests leave events only where the operator asks for them, as data events do in CloudTrail.
func TestS3DataEvents(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		args := []string{}
		if all {
			args = []string{"--s3-data-events", "all"}
		}
		g := serveS3(t, args...)
		g.fill(t, "data", "a.txt")
		w, _ := s3World(t, g, readOnly)
		client := g.s3(t, w.login(t, g.node).credentials())
		if _, err := read(t.Context(), client, "data", "a.txt"); err != nil {
			t.Fatal(err)
		}
		_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String("a.txt")})
		if s3Code(err) != "AccessDenied" {
			t.Fatal(err)
		}
		g.deniedEvent(t, "DeleteObject", `"arn:aws:s3:::data/a.txt"`) // shipped in order: what came before it is there as well
		if got := len(g.s3Events(t, "GetObject")); (got == 1) != all || got > 1 {
			t.Errorf("all=%v: %d events of the allowed request", all, got)
		}
	}
}
