package rolesanywhere

import (
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

func TestRefreshExpiry(t *testing.T) {
	rig := newControlRig(t, Quotas{})
	lasts := func(days int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore = time.Now().Add(-100 * 24 * time.Hour)
			c.NotAfter = time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour)
			c.SerialNumber = big.NewInt(int64(days) + 1000)
		}
	}
	far, near, past := newRigCA(t, "Far", lasts(100)), newRigCA(t, "Near", lasts(9)), newRigCA(t, "Past", lasts(-3))
	two := rig.anchor(far.pem+near.pem, nil)["trustAnchorArn"].(string)
	old := rig.anchor(past.pem, nil)["trustAnchorArn"].(string)
	elsewhere := rig.send(rig.root.in("us-east-1"), "POST", "/trustanchors", object{"name": "a", "source": bundleSource(far.pem)}).ok(201, "trustAnchor")["trustAnchorArn"].(string)
	stranger := rig.send(rig.key(rigOther, ""), "POST", "/trustanchors", object{"name": "a", "source": bundleSource(far.pem)}).ok(201, "trustAnchor")["trustAnchorArn"].(string)
	gone := rig.anchor(far.pem, nil)
	rig.send(rig.root, "DELETE", "/trustanchor/"+gone["trustAnchorId"].(string), nil).ok(200, "trustAnchor")
	pca := rig.send(rig.root, "POST", "/trustanchors", object{"name": "pca", "source": object{"sourceType": "AWS_ACM_PCA",
		"sourceData": object{"acmPcaArn": "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/" + noID}}}).ok(201, "trustAnchor")["trustAnchorArn"].(string)
	rig.update(func(tx *store.Tx) error { return tx.CreateServerValue(&store.ServerValue{Name: "other"}) })
	if err := rig.svc.RefreshExpiry(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	rig.reg.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	text := rec.Body.String()
	for name, days := range map[string]int{two: 9, old: -3, elsewhere: 100, stranger: 100} {
		if want := fmt.Sprintf("{trust_anchor_arn=%q} %d\n", name, days); !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, name := range []string{gone["trustAnchorArn"].(string), pca} {
		if strings.Contains(text, name) {
			t.Errorf("metrics hold %s", name)
		}
	}
}
