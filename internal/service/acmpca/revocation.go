package acmpca

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/bucket"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// revocationText checks how revocations are to be published and returns it as it is stored. What leads nowhere is
// refused: a list that nobody finds must not look as if it were published.
func (s *Service) revocationText(r *pca.RevocationConfiguration) (string, error) {
	if r == nil {
		r = &pca.RevocationConfiguration{}
	}
	if r.CrlConfiguration == nil {
		r.CrlConfiguration = &pca.CrlConfiguration{Enabled: new(false)}
	}
	if o := r.OcspConfiguration; o != nil && deref(o.Enabled) {
		if deref(o.OcspCustomCname) == "" {
			return "", pca.InvalidArgsException("OcspCustomCname is required: a host name, with its port if it is not 80, that leads to this server, which answers OCSP under %s", issuance.OCSPPath)
		}
		if !issuance.ValidHost(*o.OcspCustomCname) {
			return "", pca.InvalidArgsException("OcspCustomCname %s is not a host name with an optional port", clip(*o.OcspCustomCname))
		}
	}
	if c := r.CrlConfiguration; deref(c.Enabled) {
		if err := s.checkCRL(c); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(r)
	return string(text), err
}

func (s *Service) checkCRL(c *pca.CrlConfiguration) error {
	omits := issuance.OmitsCRLExtension(c)
	switch {
	case c.ExpirationInDays == nil:
		return pca.InvalidArgsException("ExpirationInDays is required when the CRL is enabled")
	case c.S3BucketName != nil && s.cfg.Buckets == nil:
		return pca.InvalidArgsException("This server has no S3 endpoint for CRLs (rolecalld serve --s3-endpoint): leave out S3BucketName, and give CustomCname, a name that leads to this server")
	case c.S3BucketName != nil && !bucket.ValidName(*c.S3BucketName):
		return pca.InvalidArgsException("%s is not the name of a bucket", clip(*c.S3BucketName))
	case c.S3ObjectAcl != nil && c.S3BucketName == nil:
		return pca.InvalidArgsException("S3ObjectAcl needs S3BucketName")
	case omits && deref(c.CustomCname) != "":
		return pca.InvalidArgsException("CustomCname cannot be given when the CRL distribution point extension is omitted")
	case !omits && deref(c.CustomCname) == "" && c.S3BucketName == nil:
		return pca.InvalidArgsException("CustomCname is required: a host name, with its port if it is not 80, that leads to this server, which serves the CRL under %s", issuance.CRLPath)
	case deref(c.CustomCname) != "" && !issuance.ValidHost(*c.CustomCname):
		return pca.InvalidArgsException("CustomCname %s is not a host name with an optional port", clip(*c.CustomCname))
	case c.CustomPath != nil && !validPath(*c.CustomPath):
		return pca.InvalidArgsException("CustomPath %s is not segments of letters, digits, '.', '_', '~' and '-' with slashes between", clip(*c.CustomPath))
	}
	return nil
}

// validPath keeps what would read otherwise in a URL out of a path.
func validPath(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.Trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") != "" {
			return false
		}
	}
	return true
}

// testKey is the object by which AWS, too, finds out whether it may write to a bucket.
const testKey = "acm-pca-permission-test-key"

// bucketTimeout bounds a caller's wait for the S3 endpoint.
const bucketTimeout = 15 * time.Second

// tryBucket writes the test object into the bucket of a configuration, before any transaction.
func (s *Service) tryBucket(ctx context.Context, r *pca.RevocationConfiguration) error {
	if r == nil || r.CrlConfiguration == nil || !deref(r.CrlConfiguration.Enabled) || r.CrlConfiguration.S3BucketName == nil {
		return nil
	}
	if err := s.checkCRL(r.CrlConfiguration); err != nil {
		return err
	}
	return s.testBucket(ctx, *r.CrlConfiguration.S3BucketName, cannedACL(r.CrlConfiguration))
}

func (s *Service) testBucket(ctx context.Context, name, acl string) error {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	err := s.cfg.Buckets.Put(ctx, &bucket.Object{Bucket: name, Key: testKey, ContentType: "application/octet-stream", ACL: acl, Body: bytes.NewReader(nil)})
	if refused, ok := errors.AsType[*bucket.Error](err); ok {
		return pca.InvalidArgsException("The bucket %s cannot be written to: %s", name, refused.Error())
	}
	if err != nil { // the endpoint's address is the operator's business
		s.cfg.Log.Warn("the S3 endpoint cannot be reached", "bucket", name, "error", err)
		return pca.RequestFailedException("The bucket %s cannot be written to: the S3 endpoint cannot be reached", name)
	}
	return nil
}

// publishes makes lists and responder of the CA follow its configuration and state, from the transaction's time on.
func publishes(call *awsapi.Call, ca *store.CertificateAuthority) error {
	r, err := issuance.RevocationOf(ca)
	if err != nil {
		return err
	}
	if err := scheduleResponder(call.Tx, ca, issuance.OCSPEnabled(r)); err != nil {
		return err
	}
	err = issuance.PrepareLists(call.Tx, ca, r)
	if errors.Is(err, issuance.ErrPaths) {
		return pca.LimitExceededException("CustomPath can be changed five times: certificates that were issued name the paths before")
	}
	if err != nil {
		return err
	}
	return scheduleCRL(ca, call.Now)
}

// scheduleCRL makes the CA's lists due now, or never if it publishes none or has no certificate to sign them with.
func scheduleCRL(ca *store.CertificateAuthority, now time.Time) error {
	r, err := issuance.RevocationOf(ca)
	if err != nil {
		return err
	}
	ca.CRLDueAt = time.Time{}
	if st := status(ca.Status); issuance.CRLLife(r) > 0 && (st == active || st == disabled) {
		ca.CRLDueAt = now
	}
	return nil
}

// soil notes in the lists that a certificate stands in that they lack its revocation: the complete one, if the CA has
// one, and its partition's.
func soil(tx *store.Tx, ca *store.CertificateAuthority, partition string) error {
	for _, id := range []string{ca.ID, partition} {
		if id == "" {
			continue
		}
		if err := tx.SoilAuthorityList(ca.Account, ca.Region, ca.ID, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
