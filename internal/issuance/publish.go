package issuance

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// What a CA publishes is served under these paths, without authentication. A list's last segment is its id, with ".crl";
// what stands before it does not matter, so that custom paths lead here as well.
const (
	CRLPath  = "/crl/"  // CA-ID.crl, or CA-ID/PARTITION.crl
	CRLEnd   = ".crl"   // of every path of a list
	OCSPPath = "/ocsp/" // CA-ID, and for GET "/" and the request
	CAPath   = "/ca/"   // CA-ID.cer
	CAEnd    = ".cer"
)

// partitionSize is how many certificates are bound to one partition: a list of that many entries is half a megabyte.
const partitionSize = 10_000

// maxPaths bounds the paths of a complete list: a custom path can be changed five times, as in AWS.
const maxPaths = 6

// ErrPaths means that a CA's custom path was changed too often.
var ErrPaths = errors.New("issuance: the path of the revocation list was changed five times before")

// ValidHost reports whether text is a host name or address with an optional port, as it stands in a URL.
func ValidHost(text string) bool {
	u, err := url.Parse("http://" + text)
	if err != nil || u.Host != text || u.Hostname() == "" {
		return false
	}
	if strings.HasSuffix(text, ":") {
		return false
	}
	return strings.Trim(u.Hostname(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == "" || net.ParseIP(u.Hostname()) != nil
}

// Partitioned reports that certificates are bound to partitions of the CA's revocations.
func Partitioned(r *pca.RevocationConfiguration) bool {
	return CRLLife(r) > 0 && r.CrlConfiguration.CrlType != nil && *r.CrlConfiguration.CrlType == pca.CrlTypePartitioned
}

// OCSPEnabled reports that the CA's certificates can be asked about.
func OCSPEnabled(r *pca.RevocationConfiguration) bool {
	o := r.OcspConfiguration
	return o != nil && o.Enabled != nil && *o.Enabled
}

// listPath is where the list with the id is published, without a slash before it.
func listPath(ca *store.CertificateAuthority, c *pca.CrlConfiguration, id string) string {
	if c.CustomPath != nil && *c.CustomPath != "" {
		return *c.CustomPath + "/" + id + CRLEnd
	}
	if id != ca.ID {
		return "crl/" + ca.ID + "/" + id + CRLEnd
	}
	return "crl/" + id + CRLEnd
}

// listURI is the address of the list with the id; "" if the CA's lists have none.
func (i *Issuer) listURI(ca *store.CertificateAuthority, c *pca.CrlConfiguration, id string) string {
	switch {
	case c.CustomCname != nil && *c.CustomCname != "":
		return "http://" + *c.CustomCname + "/" + listPath(ca, c, id)
	case c.S3BucketName != nil && i.buckets != "":
		return i.buckets + "/" + *c.S3BucketName + "/" + listPath(ca, c, id)
	}
	return ""
}

// accessURIs are what the CA's certificates say of OCSP and of the CA's own certificate. The latter is there when a name
// is known that leads to this server: that for OCSP, or that of the lists if they are not in a bucket.
func accessURIs(ca *store.CertificateAuthority, r *pca.RevocationConfiguration) (ocsp, issuers string) {
	host := ""
	if o := r.OcspConfiguration; OCSPEnabled(r) && o.OcspCustomCname != nil && *o.OcspCustomCname != "" {
		host = *o.OcspCustomCname
		ocsp = "http://" + host + OCSPPath + ca.ID
	} else if c := r.CrlConfiguration; CRLLife(r) > 0 && c.CustomCname != nil && c.S3BucketName == nil {
		host = *c.CustomCname
	}
	if host == "" {
		return "", ""
	}
	return ocsp, "http://" + host + CAPath + ca.ID + CAEnd
}

// PrepareLists makes sure that the CA's complete list has a row with its current path, if the CA publishes one, and that
// all of its lists are signed anew.
func PrepareLists(tx *store.Tx, ca *store.CertificateAuthority, r *pca.RevocationConfiguration) error {
	if CRLLife(r) == 0 {
		return nil
	}
	if err := tx.RenewAuthorityLists(ca.Account, ca.Region, ca.ID); err != nil || Partitioned(r) {
		return err
	}
	path := listPath(ca, r.CrlConfiguration, ca.ID)
	l, err := tx.GetAuthorityList(ca.Account, ca.Region, ca.ID, ca.ID)
	if errors.Is(err, store.ErrNotFound) {
		l, err = &store.AuthorityList{Account: ca.Account, Region: ca.Region, Authority: ca.ID, ID: ca.ID, CreatedAt: tx.Now}, nil
	}
	if err != nil {
		return err
	}
	kept := make([]string, 0, len(l.Paths)+1)
	for _, p := range l.Paths {
		if p != path {
			kept = append(kept, p)
		}
	}
	if l.Paths = append(kept, path); len(l.Paths) > maxPaths {
		return ErrPaths
	}
	return tx.PutAuthorityList(l)
}

// hasRoom reports that the partition takes another certificate and is still where the CA publishes.
func (i *Issuer) hasRoom(ca *store.CertificateAuthority, c *pca.CrlConfiguration, l *store.AuthorityList) bool {
	return l.Size < i.partitionSize && l.Paths[len(l.Paths)-1] == listPath(ca, c, l.ID) && l.URI == i.listURI(ca, c, l.ID)
}

// partition is the one that the next certificate is bound to; made if there is none, or the newest is full or has
// another address.
func (i *Issuer) partition(tx *store.Tx, ca *store.CertificateAuthority, c *pca.CrlConfiguration) (l *store.AuthorityList, made bool, err error) {
	l, err = tx.CurrentPartition(ca.Account, ca.Region, ca.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, err
	}
	if err == nil && i.hasRoom(ca, c, l) {
		return l, false, tx.GrowAuthorityList(l)
	}
	id := arn.NewUUID()
	l = &store.AuthorityList{
		Account: ca.Account, Region: ca.Region, Authority: ca.ID, ID: id, URI: i.listURI(ca, c, id), Paths: []string{listPath(ca, c, id)}, Size: 1, CreatedAt: tx.Now,
	}
	if err := tx.PutAuthorityList(l); err != nil {
		return nil, false, err
	}
	ca.CRLDueAt = tx.Now // a client that follows the certificate's address must find a list soon
	return l, true, tx.PutAuthority(ca)
}

// locate fills in where the CA publishes, for certificates of the request.
func (i *Issuer) locate(tx *store.Tx, ca *store.CertificateAuthority, issuer *authority.Issuer, req *authority.Request) (partition string, made bool, err error) {
	r, err := RevocationOf(ca)
	if err != nil {
		return "", false, err
	}
	issuer.OCSP, issuer.CAIssuers = accessURIs(ca, r)
	if CRLLife(r) == 0 || req.Template.Root() {
		return "", false, nil
	}
	uri := i.listURI(ca, r.CrlConfiguration, ca.ID)
	if Partitioned(r) {
		l, fresh, err := i.partition(tx, ca, r.CrlConfiguration)
		if err != nil {
			return "", false, err
		}
		uri, partition, made = l.URI, l.ID, fresh
	}
	if !OmitsCRLExtension(r.CrlConfiguration) {
		issuer.DistributionPoint = uri
	}
	return partition, made, nil
}

// CRLLife is how long a list of the CA is valid; 0 if the CA publishes none.
func CRLLife(r *pca.RevocationConfiguration) time.Duration {
	c := r.CrlConfiguration
	if c == nil || c.Enabled == nil || !*c.Enabled || c.ExpirationInDays == nil {
		return 0
	}
	return time.Duration(*c.ExpirationInDays) * 24 * time.Hour
}
