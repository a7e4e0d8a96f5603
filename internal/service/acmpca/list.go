package acmpca

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/bucket"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// chunkSize is how a list is cut up in the store. A list of one chunk is served from memory.
const chunkSize = 1 << 20

// listJob is one CA whose lists are due, claimed by this node.
type listJob struct {
	ca         *store.CertificateAuthority
	revocation *pca.RevocationConfiguration
	issuer     *authority.Issuer
	algorithm  authority.SigningAlgorithm
	life       time.Duration
}

// renewLists signs those of a CA's lists that are due: complete, and of each partition.
func (s *Service) renewLists(ctx context.Context, due *store.CertificateAuthority) error {
	var ca *store.CertificateAuthority
	var lease time.Time
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if ca, err = tx.GetAuthority(due.Account, due.Region, due.ID); err != nil {
			return err
		}
		if ca.CRLDueAt.IsZero() || ca.CRLDueAt.After(tx.Now) {
			ca = nil // another node has it
			return nil
		}
		lease = tx.Now.Add(workLease)
		ca.CRLDueAt = lease
		return tx.PutAuthority(ca)
	})
	if err != nil || ca == nil {
		return err
	}
	next, err := s.signLists(ctx, ca)
	if err != nil {
		next = time.Now().Add(s.misses.wait("list " + ca.ID))
	} else {
		s.misses.clear("list " + ca.ID)
	}
	return errors.Join(err, s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.GetAuthority(ca.Account, ca.Region, ca.ID)
		if err != nil || !now.CRLDueAt.Equal(lease) { // something was revoked meanwhile: it stays due
			return err
		}
		now.CRLDueAt = next
		return tx.PutAuthority(now)
	}))
}

// signLists returns when the next list of the CA is due; zero if it publishes none any more.
func (s *Service) signLists(ctx context.Context, ca *store.CertificateAuthority) (next time.Time, err error) {
	job := &listJob{ca: ca}
	if job.revocation, err = issuance.RevocationOf(ca); err != nil {
		return next, err
	}
	if job.life = issuance.CRLLife(job.revocation); job.life == 0 || issuance.StatusOf(ca, time.Now()) == expired {
		return next, nil
	}
	configuration, err := configurationOf(ca)
	if err != nil {
		return next, err
	}
	job.algorithm = authority.SigningAlgorithm(*configuration.SigningAlgorithm)
	if job.issuer, err = s.cfg.Issuer.Load(ca); err != nil {
		return next, err
	}
	lists, err := s.listsOf(ctx, job)
	if err != nil {
		return next, err
	}
	next = time.Now().Add(job.life / 2) // also where there is no partition yet
	var errs []error
	for i := range lists {
		l := &lists[i]
		if l.Dirty.IsZero() && l.RenewAt.After(time.Now()) {
			next = earlier(next, l.RenewAt)
			continue
		}
		err := s.signList(ctx, job, l)
		errs = append(errs, err, s.reportList(ctx, job, l, err))
	}
	return next, errors.Join(errs...)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// listsOf reads the CA's lists. Those of a CA that has none yet are prepared here: it comes from an older version.
func (s *Service) listsOf(ctx context.Context, job *listJob) (lists []store.AuthorityList, err error) {
	read := func(tx *store.Tx) error {
		lists = nil
		for after := ""; ; {
			rows, next, err := tx.ListAuthorityLists(job.ca.Account, job.ca.Region, job.ca.ID, store.MaxPage, after)
			if err != nil {
				return err
			}
			lists = append(lists, rows...)
			if after = next; after == "" {
				return nil
			}
		}
	}
	if err = s.cfg.DB.Read(ctx, read); err != nil || len(lists) > 0 || issuance.Partitioned(job.revocation) {
		return lists, err
	}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return issuance.PrepareLists(tx, job.ca, job.revocation) })
	if err != nil {
		return nil, err
	}
	return lists, s.cfg.DB.Read(ctx, read)
}

// signList makes one list in files, so that its size does not matter, and publishes it.
func (s *Service) signList(ctx context.Context, job *listJob, l *store.AuthorityList) error {
	entries, err := s.tempFile()
	if err != nil {
		return err
	}
	defer entries.Close()
	now := time.Now().UTC()
	size, err := s.collect(ctx, job, l, entries, now)
	if err != nil {
		return err
	}
	signed, err := s.tempFile()
	if err != nil {
		return err
	}
	defer signed.Close()
	total, err := job.issuer.WriteCRL(signed, &authority.List{Algorithm: job.algorithm, Now: now, Life: job.life, Partition: l.URI}, entries, size)
	if err != nil {
		return err
	}
	if err := s.publish(ctx, l, signed, total, now, job.life); err != nil {
		return err
	}
	if err := s.upload(ctx, job, l, signed); err != nil {
		s.misconfigured.Add(1)
		return err
	}
	s.generated.Add(1)
	return s.settle(ctx, l, now.Add(job.life/2))
}

// tempFile is a file that is gone once it is closed.
func (s *Service) tempFile() (*os.File, error) {
	f, err := os.CreateTemp(s.cfg.TempDir, "rolecall-pca-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// collect writes the entries of a list to w and returns their size.
func (s *Service) collect(ctx context.Context, job *listJob, l *store.AuthorityList, w io.Writer, now time.Time) (size int64, err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	ca, entry := job.ca, make([]byte, 0, 128)
	for after := ""; ; {
		var rows []store.RevokedCertificate
		var next string
		err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if l.ID == ca.ID {
				rows, next, err = tx.ListRevokedCertificates(ca.Account, ca.Region, ca.IssuerKey, store.MaxPage, after)
			} else {
				rows, next, err = tx.ListPartitionRevocations(ca.Account, ca.Region, ca.IssuerKey, l.ID, store.MaxPage, after)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		for i := range rows {
			r := &rows[i]
			// RFC 5280 §3.3: an entry stays until the certificate has expired, and one list longer.
			if !r.NotAfter.IsZero() && r.NotAfter.Add(job.life).Before(now) {
				continue
			}
			serial, ok := new(big.Int).SetString(r.Serial, 16)
			if !ok {
				return 0, errors.New("a stored revocation has a serial number that is no number: " + r.Serial)
			}
			if entry, err = authority.AppendRevocation(entry[:0], &authority.Revocation{Serial: serial, At: r.RevokedAt, Reason: authority.RevocationReason(r.Reason)}); err != nil {
				return 0, err
			}
			n, err := out.Write(entry)
			if size += int64(n); err != nil {
				return 0, err
			}
		}
		if after = next; after == "" {
			return size, out.Flush()
		}
	}
}

// publish stores a signed list part by part, then shows it. The one before stays for those who are fetching it.
func (s *Service) publish(ctx context.Context, l *store.AuthorityList, signed io.ReaderAt, total int64, now time.Time, life time.Duration) error {
	number, chunks := now.UnixMilli(), 0
	buf := make([]byte, min(chunkSize, total))
	for at := int64(0); at < total; at += chunkSize {
		part := buf[:min(chunkSize, total-at)]
		if _, err := signed.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutListChunk(l.ID, number, chunks, part) }); err != nil {
			return err
		}
		chunks++
	}
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.GetAuthorityList(l.Account, l.Region, l.Authority, l.ID)
		if err != nil || row.Number >= number { // of two nodes that sign at once, the later list stays
			return err
		}
		if err := tx.DropListChunks(l.ID, row.Number); err != nil {
			return err
		}
		row.Number, row.NextUpdate, row.Chunks, row.Bytes = number, now.Add(life), chunks, total
		return tx.PutAuthorityList(row)
	})
}

// settle notes that the list is done, unless something was revoked since it was looked at.
func (s *Service) settle(ctx context.Context, l *store.AuthorityList, renewAt time.Time) error {
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.GetAuthorityList(l.Account, l.Region, l.Authority, l.ID)
		if err != nil {
			return err
		}
		if row.RenewAt.Equal(l.RenewAt) {
			row.RenewAt = renewAt
		}
		if row.Dirty.Equal(l.Dirty) {
			row.Dirty = time.Time{}
		}
		return tx.PutAuthorityList(row)
	})
}

// upload writes the list to the CA's bucket, if it has one.
func (s *Service) upload(ctx context.Context, job *listJob, l *store.AuthorityList, signed io.ReadSeeker) error {
	c := job.revocation.CrlConfiguration
	if c.S3BucketName == nil {
		return nil
	}
	if s.cfg.Buckets == nil {
		return errors.New("no S3 endpoint is configured (--s3-endpoint), but the list belongs into bucket " + *c.S3BucketName)
	}
	for _, path := range l.Paths {
		if _, err := signed.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := s.cfg.Buckets.Put(ctx, &bucket.Object{Bucket: *c.S3BucketName, Key: path, ContentType: "application/pkix-crl", ACL: cannedACL(c), Body: signed}); err != nil {
			return fmt.Errorf("bucket %s: %w", *c.S3BucketName, err)
		}
	}
	return nil
}

// cannedACL is the ACL of objects in S3's words; PUBLIC_READ is the default, as in AWS.
func cannedACL(c *pca.CrlConfiguration) string {
	if c.S3ObjectAcl != nil && *c.S3ObjectAcl == pca.S3ObjectAclBucketOwnerFullControl {
		return "bucket-owner-full-control"
	}
	return "public-read"
}

// reportList records a list, or the failure to make or write it, in the audit trail.
func (s *Service) reportList(ctx context.Context, job *listJob, l *store.AuthorityList, failure error) error {
	detail := map[string]string{"detailType": "ACM Private CA CRL Generation", "result": "success", "list": l.ID}
	if failure != nil {
		detail["result"], detail["reason"] = "failure", failure.Error()
	}
	return s.serviceEvent(ctx, job.ca, "GenerateCRL", detail)
}

// serviceEvent records what happened in the background.
func (s *Service) serviceEvent(ctx context.Context, ca *store.CertificateAuthority, name string, detail map[string]string) error {
	e := &audit.Event{
		EventType: audit.ServiceEvent, EventSource: "acm-pca.amazonaws.com", EventName: name, Account: ca.Account, Region: ca.Region,
		UserIdentity: audit.UserIdentity{Type: audit.IdentityService, Account: ca.Account, InvokedBy: "acm-pca.amazonaws.com"},
		SourceIP:     "acm-pca.amazonaws.com", UserAgent: "acm-pca.amazonaws.com", ReadOnly: false, AdditionalEventData: detail,
		Resources: []audit.Resource{{Type: "AWS::ACMPCA::CertificateAuthority", Name: ca.ID, ARN: issuance.ARN(ca)}},
	}
	if detail["result"] == "failure" {
		e.ErrorCode, e.ErrorMessage = "RequestFailedException", detail["reason"]
	}
	return s.cfg.Audit.Append(ctx, e, nil)
}
