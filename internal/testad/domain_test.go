package testad

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// The domain answers where it should, and this process's own network does not know it.
func TestDomain(t *testing.T) {
	began := time.Now()
	d := Start(t)
	t.Logf("up after %v", time.Since(began).Round(10*time.Millisecond))
	if d != Start(t) {
		t.Error("a second domain")
	}
	c, err := d.Dial(t.Context(), "tcp", DCHost+":636")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if l, err := net.Listen("tcp", DCAddress+":0"); err == nil { // the address is the namespace's alone
		l.Close()
		t.Error("the domain controller's address exists outside of its namespace")
	}
	ccache := d.Kinit(t, "alice", Password("alice"))
	if out := d.Run(t, "klist", "-c", "FILE:"+ccache); !strings.Contains(out, "krbtgt/"+Realm) {
		t.Errorf("klist: %s", out)
	}
	if _, err := os.Stat("/run/samba/winbindd"); err == nil {
		t.Error("the domain uses the host's /run/samba")
	}
}
