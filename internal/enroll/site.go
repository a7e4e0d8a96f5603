package enroll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll/template"
	"github.com/rolecall/rolecall/internal/store"
)

// siteKey names a directory, or a connector.
type siteKey struct {
	account arn.AccountID
	region  arn.Region
	id      string
}

// site is a directory that is open.
type site struct {
	row       store.Directory
	acceptor  Acceptor
	directory Directory
	end       func()
}

func (s *site) close() {
	if s.end != nil {
		s.end()
	}
}

// connector is a connector as its clients meet it.
type connector struct {
	row       store.Connector
	authority string // the CA's id
	templates []*template.Template
}

func (c *connector) arn() string {
	return arn.ARN{Partition: arn.Partition(c.row.Region), Service: "pca-connector-ad", Region: c.row.Region, Account: c.row.Account, Resource: "connector/" + c.row.ID}.String()
}

// hostOf is a Host header without its port, lower case.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// find opens the directories whose clients use the host. One that cannot be opened is logged and left out: the others
// still work.
func (h *Handler) find(ctx context.Context, host string) ([]*site, error) {
	found, err := h.view.HostDirectories(ctx, hostOf(host))
	if err != nil {
		return nil, err
	}
	var sites []*site
	for i := range found.Row {
		s, err := h.open(&found.Row[i])
		if err != nil {
			h.cfg.Log.Error("a directory cannot be used for enrollment", "directory", found.Row[i].ID, "error", err)
			continue
		}
		sites = append(sites, s)
	}
	if len(sites) == 0 {
		return nil, errors.New("no directory of the host can be used")
	}
	return sites, nil
}

// open keeps directories open until their row changes.
func (h *Handler) open(row *store.Directory) (*site, error) {
	key := siteKey{row.Account, row.Region, row.ID}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sites[key]; s != nil {
		if reflect.DeepEqual(&s.row, row) {
			return s, nil
		}
		delete(h.sites, key)
		s.close()
	}
	a, d, end, err := h.cfg.Open(row)
	if err != nil {
		return nil, err
	}
	s := &site{row: *row, acceptor: a, directory: d, end: end}
	h.sites[key] = s
	return s, nil
}

// connectors are the connectors of a directory that issue, with the templates that can be compiled.
func (h *Handler) connectors(ctx context.Context, s *site) ([]*connector, error) {
	ids, err := h.view.DirectoryConnectors(ctx, s.row.Account, s.row.Region, s.row.ID)
	if err != nil {
		return nil, err
	}
	var list []*connector
	for _, id := range ids.Row {
		cached, err := h.view.Connector(ctx, s.row.Account, s.row.Region, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return nil, err
		}
		if b := &cached.Row; b.Connector.Status != active || b.Principal.Status != active {
			continue
		}
		form, err := cached.Compiled(func(b *store.ConnectorBundle) (any, error) { return h.compile(b) })
		if err != nil {
			h.cfg.Log.Error("a connector cannot be used", "connector", id, "error", err)
			continue
		}
		if c, ok := form.(*connector); ok {
			list = append(list, c)
		}
	}
	return list, nil
}

// active is the status of connectors, service principal names and CAs that work.
const active = "ACTIVE"

func (h *Handler) compile(b *store.ConnectorBundle) (*connector, error) {
	c := &connector{row: b.Connector}
	name, err := arn.Parse(b.Connector.Authority)
	if err != nil {
		return nil, err
	}
	id, ok := strings.CutPrefix(name.Resource, "certificate-authority/")
	if !ok || name.Account != c.row.Account || name.Region != c.row.Region {
		return nil, fmt.Errorf("its certificate authority %s is not of its account and region", b.Connector.Authority)
	}
	c.authority = id
	for i := range b.Templates {
		row := &b.Templates[i].Template
		source := template.Source{ID: row.ID, Name: row.Name, ObjectIdentifier: row.ObjectIdentifier, Major: row.Major, Minor: row.Minor, Definition: row.Definition}
		for _, a := range b.Templates[i].Access {
			source.Access = append(source.Access, template.Access{SID: a.SID, Enroll: a.Enroll, AutoEnroll: a.AutoEnroll})
		}
		t, err := template.Compile(source)
		if err != nil {
			h.cfg.Log.Error("a certificate template is not offered", "connector", c.row.ID, "error", err)
			continue
		}
		c.templates = append(c.templates, t)
	}
	return c, nil
}
