package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestConnectorResources is the conformance suite for the rows of Active Directory enrollment.
func TestConnectorResources(t *testing.T) {
	later := t0.Add(time.Hour)
	tags := []Tag{{"k", "v"}}
	tests := []func(*testing.T, *DB){
		lifecycle("directory", resource[Directory]{
			row:     Directory{acct, region, "~", "CORP.EXAMPLE.COM", "CORP", []string{"ldaps://dc1", "ldaps://dc2"}, "PEM", "svc", []byte{0, 1}, []byte{2}, "require", "pki.example.com", t0},
			changed: Directory{Account: acct, Region: region, ID: "~", CreatedAt: later}, create: (*Tx).CreateDirectory, put: (*Tx).PutDirectory,
			get:    func(tx *Tx) (*Directory, error) { return tx.GetDirectory(acct, region, "~") },
			remove: func(tx *Tx) error { return tx.DeleteDirectory(acct, region, "~") },
			list: func(tx *Tx, n int, a string) ([]Directory, string, error) {
				return tx.ListDirectories(acct, region, n, a)
			},
			numbered: func(i int) Directory { return Directory{Account: acct, Region: region, ID: letter(i), CreatedAt: t0} }}),
		lifecycle("directory registration", resource[DirectoryRegistration]{
			row: DirectoryRegistration{acct, region, "~", "FAILED", "WHY", tags, t0, later}, changed: DirectoryRegistration{acct, region, "~", "ACTIVE", "", nil, later, later},
			create: (*Tx).CreateDirectoryRegistration, put: (*Tx).PutDirectoryRegistration,
			get:    func(tx *Tx) (*DirectoryRegistration, error) { return tx.GetDirectoryRegistration(acct, region, "~") },
			remove: func(tx *Tx) error { return tx.DeleteDirectoryRegistration(acct, region, "~") },
			list: func(tx *Tx, n int, a string) ([]DirectoryRegistration, string, error) {
				return tx.ListDirectoryRegistrations(acct, region, n, a)
			},
			numbered: func(i int) DirectoryRegistration {
				return DirectoryRegistration{acct, region, letter(i), "ACTIVE", "", nil, t0, t0}
			}}),
		lifecycle("connector", resource[Connector]{
			row:     Connector{acct, region, "~", "d-1", "arn", "FAILED", "WHY", "IPV4", []string{"sg-1"}, tags, t0, t0, t0},
			changed: Connector{acct, region, "~", "d-1", "arn2", "ACTIVE", "", "", nil, nil, later, later, later},
			create:  (*Tx).CreateConnector, put: (*Tx).PutConnector,
			get:    func(tx *Tx) (*Connector, error) { return tx.GetConnector(acct, region, "~") },
			remove: func(tx *Tx) error { return tx.DeleteConnector(acct, region, "~") },
			list: func(tx *Tx, n int, a string) ([]Connector, string, error) {
				return tx.ListConnectors(acct, region, n, a)
			},
			numbered: func(i int) Connector { return Connector{Account: acct, Region: region, ID: letter(i), CreatedAt: t0} }}),
		lifecycle("service principal name", resource[ServicePrincipalName]{
			row: ServicePrincipalName{acct, region, "d-1", "~", "FAILED", "WHY", t0, t0}, changed: ServicePrincipalName{acct, region, "d-1", "~", "ACTIVE", "", later, later},
			create: (*Tx).CreateServicePrincipalName, put: (*Tx).PutServicePrincipalName,
			get: func(tx *Tx) (*ServicePrincipalName, error) {
				return tx.GetServicePrincipalName(acct, region, "d-1", "~")
			},
			remove: func(tx *Tx) error { return tx.DeleteServicePrincipalName(acct, region, "d-1", "~") },
			list: func(tx *Tx, n int, a string) ([]ServicePrincipalName, string, error) {
				return tx.ListServicePrincipalNames(acct, region, "d-1", n, a)
			},
			numbered: func(i int) ServicePrincipalName {
				return ServicePrincipalName{acct, region, "d-1", letter(i), "ACTIVE", "", t0, t0}
			}}),
		lifecycle("connector template", resource[ConnectorTemplate]{
			row:     ConnectorTemplate{acct, region, "c", "~", "Name", "{}", 2, 100, 3, "1.2.3", "ACTIVE", tags, t0, t0},
			changed: ConnectorTemplate{acct, region, "c", "~", "Name", "{1}", 4, 101, 0, "1.2.3", "DELETING", nil, later, later},
			create:  (*Tx).CreateConnectorTemplate, put: (*Tx).PutConnectorTemplate,
			get:    func(tx *Tx) (*ConnectorTemplate, error) { return tx.GetConnectorTemplate(acct, region, "c", "~") },
			remove: func(tx *Tx) error { return tx.DeleteConnectorTemplate(acct, region, "c", "~") },
			list: func(tx *Tx, n int, a string) ([]ConnectorTemplate, string, error) {
				return tx.ListConnectorTemplates(acct, region, "c", n, a)
			},
			numbered: func(i int) ConnectorTemplate { return testTemplate("c", letter(i), letter(i)) }}),
		lifecycle("template access", resource[TemplateAccess]{
			row:     TemplateAccess{acct, region, "c", "t", "~", "Group", "ALLOW", "DENY", t0, t0},
			changed: TemplateAccess{acct, region, "c", "t", "~", "Other", "", "ALLOW", later, later},
			create:  (*Tx).CreateTemplateAccess, put: (*Tx).PutTemplateAccess,
			get:    func(tx *Tx) (*TemplateAccess, error) { return tx.GetTemplateAccess(acct, region, "c", "t", "~") },
			remove: func(tx *Tx) error { return tx.DeleteTemplateAccess(acct, region, "c", "t", "~") },
			list: func(tx *Tx, n int, a string) ([]TemplateAccess, string, error) {
				return tx.ListTemplateAccess(acct, region, "c", "t", n, a)
			},
			numbered: func(i int) TemplateAccess {
				return TemplateAccess{acct, region, "c", "t", letter(i), "", "", "", t0, t0}
			}}),
	}
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for _, f := range tests {
			f(t, db)
		}
	})
}

func testTemplate(connector, id, name string) ConnectorTemplate {
	return ConnectorTemplate{acct, region, connector, id, name, "{}", 2, 100, 0, "1.2." + connector + id, "ACTIVE", nil, t0, t0}
}

// TestTemplateNamesAreUnique: within a connector and without regard to case, as names in a directory are.
func TestTemplateNamesAreUnique(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			for _, tc := range []struct {
				row  ConnectorTemplate
				want error
			}{
				{testTemplate("c", "1", "Web"), nil},
				{testTemplate("c", "2", "wEB"), ErrExists},
				{testTemplate("d", "2", "Web"), nil},
				{ConnectorTemplate{Account: other, Region: region, Connector: "c", ID: "9", Name: "Web", ObjectIdentifier: "1.2.c1"}, ErrExists},
			} {
				wantIs(t, tc.row.Connector+tc.row.ID, tx.CreateConnectorTemplate(&tc.row), tc.want)
			}
			return nil
		})
	})
}

func TestConnectorQueues(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			for i, status := range []string{"CREATING", "ACTIVE", "DELETING", "FAILED"} {
				at, id := t0.Add(-time.Duration(i)*time.Second), letter(i)
				template := testTemplate("c", id, id)
				template.Status, template.UpdatedAt = status, at
				for _, err := range []error{
					tx.CreateConnector(&Connector{Account: acct, Region: region, ID: id, Directory: "d-1", Status: status, UpdatedAt: at}),
					tx.CreateDirectoryRegistration(&DirectoryRegistration{Account: acct, Region: region, Directory: id, Status: status, UpdatedAt: at}),
					tx.CreateServicePrincipalName(&ServicePrincipalName{Account: acct, Region: region, Directory: "d-1", Connector: id, Status: status, UpdatedAt: at}),
					tx.CreateConnectorTemplate(&template),
				} {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		read(t, db, func(tx *Tx) error {
			connectors, err1 := tx.ListUnsettledConnectors(10)
			registrations, err2 := tx.ListUnsettledRegistrations(10)
			names, err3 := tx.ListUnsettledPrincipalNames(10)
			templates, err4 := tx.ListUnsettledTemplates(10)
			n, err5 := tx.CountConnectors(acct, region)
			m, err6 := tx.CountConnectorTemplates(acct, region, "c")
			got := fmt.Sprint(err1, err2, err3, err4, err5, err6, n, m)
			for _, c := range connectors {
				got += " " + c.ID
			}
			for _, r := range registrations {
				got += " " + r.Directory
			}
			for _, p := range names {
				got += " " + p.Connector
			}
			for _, tpl := range templates {
				got += " " + tpl.ID
			}
			if want := "<nil> <nil> <nil> <nil> <nil> <nil> 4 4 0 +x 0 +x 0 +x 0"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			return nil
		})
	})
}

// TestConnectorView: the view's entry follows everything below the connector, and its revision grows with each change.
func TestConnectorView(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour, Clock: func() time.Time { return t0 }}) // a clock that stands still
		get := func() *ConnectorBundle {
			t.Helper()
			c, err := db.View().Connector(t.Context(), acct, region, "c")
			if err != nil {
				t.Fatal(err)
			}
			return &c.Row
		}
		ids := func() string {
			t.Helper()
			c, err := db.View().DirectoryConnectors(t.Context(), acct, region, "d-1")
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(c.Row)
		}
		_, err := db.View().Connector(t.Context(), acct, region, "c")
		wantIs(t, "before", err, ErrNotFound)
		if got := ids(); got != "[]" {
			t.Errorf("connectors of the directory before: %s", got)
		}
		connector := &Connector{Account: acct, Region: region, ID: "c", Directory: "d-1", Status: "ACTIVE", CreatedAt: t0, UpdatedAt: t0, PolicyChangedAt: t0}
		update(t, db, func(tx *Tx) error { return tx.CreateConnector(connector) })
		if got := ids(); got != "[c]" {
			t.Errorf("connectors of the directory: %s", got)
		}
		template, hidden := testTemplate("c", "t", "Web"), testTemplate("c", "u", "Old")
		hidden.Status = "DELETING"
		access := TemplateAccess{acct, region, "c", "t", "S-1-1-0", "Everyone", "ALLOW", "", t0, t0}
		principal := ServicePrincipalName{acct, region, "d-1", "c", "ACTIVE", "", t0, t0}
		seen, last := map[string]bool{get().Revision(): true}, get().Connector.PolicyChangedAt
		for i, change := range []func(*Tx) error{
			func(tx *Tx) error { return tx.CreateServicePrincipalName(&principal) },
			func(tx *Tx) error { return tx.CreateConnectorTemplate(&template) },
			func(tx *Tx) error { return tx.CreateConnectorTemplate(&hidden) },
			func(tx *Tx) error { template.Minor = 1; return tx.PutConnectorTemplate(&template) },
			func(tx *Tx) error { return tx.CreateTemplateAccess(&access) },
			func(tx *Tx) error { access.AutoEnroll = "DENY"; return tx.PutTemplateAccess(&access) },
			func(tx *Tx) error { return tx.PutConnector(connector) },
		} {
			update(t, db, change)
			b := get()
			if seen[b.Revision()] || !b.Connector.PolicyChangedAt.After(last) || !b.ChangedSince(last) {
				t.Errorf("change %d: revision %s after %s", i, b.Revision(), last)
			}
			seen[b.Revision()], last = true, b.Connector.PolicyChangedAt
		}
		want := []TemplateBundle{{template, []TemplateAccess{access}}}
		if d := cmp.Diff(want, get().Templates) + cmp.Diff(principal, get().Principal); d != "" {
			t.Error(d)
		}
		if get().ChangedSince(last.Add(time.Microsecond)) {
			t.Error("changed after its last change")
		}
		update(t, db, func(tx *Tx) error { return tx.DeleteConnectorTemplate(acct, region, "c", "t") })
		if got := get(); len(got.Templates) != 0 || !got.Connector.PolicyChangedAt.After(last) {
			t.Errorf("after the deletion of the template: %+v", got)
		}
		read(t, db, func(tx *Tx) error {
			_, err := tx.GetTemplateAccess(acct, region, "c", "t", "S-1-1-0")
			wantIs(t, "its access entry", err, ErrNotFound)
			return nil
		})
		update(t, db, func(tx *Tx) error { return tx.DeleteConnector(acct, region, "c") })
		_, err = db.View().Connector(t.Context(), acct, region, "c")
		wantIs(t, "after", err, ErrNotFound)
		if got := ids(); got != "[]" {
			t.Errorf("connectors of the directory after: %s", got)
		}
	})
}

// TestDirectoryView: directories are found by the host of a request, and leave a host when they get another.
func TestDirectoryView(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src, Poll: time.Hour})
		hosts := func(host string) string {
			t.Helper()
			c, err := db.View().HostDirectories(t.Context(), host)
			if err != nil {
				wantIs(t, host, err, ErrNotFound)
				return "none"
			}
			s := ""
			for _, d := range c.Row {
				s += string(d.Account) + d.ID + " "
			}
			return s
		}
		check := func(a, b string) {
			t.Helper()
			if got, want := hosts("PKI.example.com")+"/"+hosts("b.example.com"), a+"/"+b; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		check("none", "none")
		one := &Directory{Account: acct, Region: region, ID: "d-1", PolicyHost: "pki.example.com"}
		two := &Directory{Account: other, Region: region, ID: "d-2", PolicyHost: "pki.example.com"}
		update(t, db, func(tx *Tx) error { return tx.CreateDirectory(one) })
		update(t, db, func(tx *Tx) error { return tx.CreateDirectory(two) })
		check(string(acct)+"d-1 "+string(other)+"d-2 ", "none")
		one.PolicyHost = "b.example.com"
		update(t, db, func(tx *Tx) error { return tx.PutDirectory(one) })
		check(string(other)+"d-2 ", string(acct)+"d-1 ")
		if c, err := db.View().Directory(t.Context(), acct, region, "d-1"); err != nil || c.Row.PolicyHost != "b.example.com" {
			t.Errorf("got %+v, %v", c, err)
		}
		update(t, db, func(tx *Tx) error { return tx.DeleteDirectory(acct, region, "d-1") })
		check(string(other)+"d-2 ", "none")
		_, err := db.View().Directory(t.Context(), acct, region, "d-1")
		wantIs(t, "deleted", err, ErrNotFound)
	})
}
