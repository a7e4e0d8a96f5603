package adtest

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
)

// TestTicketAndDirectory: what the domain makes, the server's own readers take for an account of a domain.
func TestTicketAndDirectory(t *testing.T) {
	alice := Account{RID: 1106, Name: "alice", CommonName: "Alice Liddell", UPN: "alice@corp.example.com", Mail: "alice@example.com", Groups: []uint32{1110}}
	host := Account{RID: 1200, Name: "WS2$", CommonName: "WS2", DNSHostName: "ws2.corp.example.com", Computer: true}
	d, err := New(alice, host)
	if err != nil {
		t.Fatal(err)
	}
	a, err := kerberos.New(kerberos.Config{Keytab: d.Keytab()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.Trust)
	c, err := directory.New(directory.Config{Servers: []string{s.URL[len("ldaps://"):]}, Roots: roots, BindName: BindUser, Password: BindPassword})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, account := range []*Account{&alice, &host} {
		ticket, err := d.Ticket(account, TicketOptions{})
		if err != nil {
			t.Fatal(err)
		}
		header, err := ticket.Header(TokenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		id, reply, err := a.Accept(header, nil)
		if err != nil {
			t.Fatal(err)
		}
		if id.UserSID != account.SID() || id.AccountName != account.Name || id.UPN != account.UPN || id.Computer != account.Computer || reply == "" ||
			!slices.Contains(id.Groups, "S-1-18-1") || len(account.Groups) > 0 && !slices.Contains(id.Groups, GroupSID(account.Groups[0])) {
			t.Errorf("got %+v", id)
		}
		e, err := c.Fresh(t.Context(), account.SID())
		if err != nil {
			t.Fatal(err)
		}
		if e.SID != id.UserSID || e.AccountName != account.Name || e.DNSHostName != account.DNSHostName || e.Computer != account.Computer || e.Mail != account.Mail {
			t.Errorf("got %+v", e)
		}
	}
	if _, err := c.Fresh(t.Context(), GroupSID(9)); err == nil {
		t.Error("nobody was found")
	}
}
