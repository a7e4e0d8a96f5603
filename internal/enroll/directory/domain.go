package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Domain is what a domain controller says about itself and its domain.
type Domain struct {
	DNSName, NetBIOS string    // corp.example.com, CORP
	Host             string    // the domain controller's DNS name
	Time             time.Time // its clock, whole seconds
}

// Realm is the domain's Kerberos realm: its DNS name in upper case.
func (d *Domain) Realm() string { return strings.ToUpper(d.DNSName) }

// Domain asks the server that answers first. It proves that connecting and the service account's bind work.
func (c *Client) Domain(ctx context.Context) (*Domain, error) {
	found, err := c.search(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", 1, "defaultNamingContext", "dnsHostName", "currentTime")
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%w: %w: it does not describe itself", ErrUnavailable, ErrNoDomain)
	}
	e := found[0]
	d := &Domain{DNSName: dnsName(e.GetAttributeValue("defaultNamingContext")), Host: e.GetAttributeValue("dnsHostName")}
	if d.DNSName == "" {
		return nil, fmt.Errorf("%w: %w: it names no domain", ErrUnavailable, ErrNoDomain)
	}
	// RFC 4517 §3.3.13, as AD writes it: 20260102030405.0Z.
	if d.Time, err = time.Parse("20060102150405Z0700", strings.Replace(e.GetAttributeValue("currentTime"), ".0Z", "Z", 1)); err != nil {
		return nil, fmt.Errorf("%w: %w: it tells no time", ErrUnavailable, ErrNoDomain)
	}
	d.NetBIOS, err = c.netBIOSName(ctx, e.GetAttributeValue("defaultNamingContext"))
	return d, err
}
