package acmpca

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/bucket"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// reportAttempts is how often a report is tried before it has FAILED.
const reportAttempts = 5

// tryReport finds out before the transaction whether the bucket takes a report.
func (s *Service) tryReport(ctx context.Context, _ *awsapi.Call, in *pca.CreateCertificateAuthorityAuditReportInput) error {
	switch {
	case s.cfg.Buckets == nil:
		return pca.RequestFailedException("The audit report cannot be written: this server has no S3 endpoint (rolecalld serve --s3-endpoint URL --s3-credentials FILE)")
	case !bucket.ValidName(*in.S3BucketName):
		return pca.InvalidArgsException("%s is not the name of a bucket", clip(*in.S3BucketName))
	}
	return s.testBucket(ctx, *in.S3BucketName, "")
}

func (s *Service) createReport(_ context.Context, call *awsapi.Call, in *pca.CreateCertificateAuthorityAuditReportInput) (*pca.CreateCertificateAuthorityAuditReportOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	if err := inState(call, ca, active, disabled); err != nil {
		return nil, err
	}
	n, err := call.Tx.CountAuditReportsDue(ca.Account, ca.Region, ca.ID)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		return nil, pca.RequestInProgressException("An audit report of the certificate authority is being written")
	}
	r := &store.AuditReport{
		Account: ca.Account, Region: ca.Region, Authority: ca.ID, ID: arn.NewUUID(), Format: string(*in.AuditReportResponseFormat), Bucket: *in.S3BucketName,
		Status: string(pca.AuditReportStatusCreating), CreatedAt: call.Now, DueAt: call.Now,
	}
	s.worker.Nudge()
	return &pca.CreateCertificateAuthorityAuditReportOutput{AuditReportId: &r.ID, S3Key: new(reportKey(r))}, call.Tx.PutAuditReport(r)
}

func reportKey(r *store.AuditReport) string {
	return "audit-report/" + r.Authority + "/" + r.ID + "." + strings.ToLower(r.Format)
}

func describeReport(_ context.Context, call *awsapi.Call, in *pca.DescribeCertificateAuthorityAuditReportInput) (*pca.DescribeCertificateAuthorityAuditReportOutput, error) {
	ca, err := findCA(call, *in.CertificateAuthorityArn)
	if err != nil {
		return nil, err
	}
	r, err := call.Tx.GetAuditReport(ca.Account, ca.Region, ca.ID, *in.AuditReportId)
	if errors.Is(err, store.ErrNotFound) {
		return nil, pca.ResourceNotFoundException("Could not find audit report %s of %s", clip(*in.AuditReportId), issuance.ARN(ca))
	}
	if err != nil {
		return nil, err
	}
	return &pca.DescribeCertificateAuthorityAuditReportOutput{
		AuditReportStatus: new(pca.AuditReportStatus(r.Status)), S3BucketName: &r.Bucket, S3Key: new(reportKey(r)), CreatedAt: &r.CreatedAt,
	}, nil
}

// writeReport makes a report in a file and writes it to its bucket.
func (s *Service) writeReport(ctx context.Context, due *store.AuditReport) error {
	var ca *store.CertificateAuthority
	var r *store.AuditReport
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		ca = nil
		if r, err = tx.GetAuditReport(due.Account, due.Region, due.Authority, due.ID); err != nil {
			return err
		}
		if r.DueAt.IsZero() || r.DueAt.After(tx.Now) {
			return nil // another node has it
		}
		if ca, err = tx.GetAuthority(r.Account, r.Region, r.Authority); errors.Is(err, store.ErrNotFound) {
			ca, r.Status, r.DueAt = nil, string(pca.AuditReportStatusFailed), time.Time{}
			return tx.PutAuditReport(r)
		}
		if err != nil {
			return err
		}
		r.Attempts++
		r.DueAt = tx.Now.Add(workLease)
		return tx.PutAuditReport(r)
	})
	if err != nil || ca == nil {
		return err
	}
	failure := s.makeReport(ctx, ca, r)
	detail := map[string]string{"detailType": "ACM Private CA Audit Report Generation", "result": "success", "auditReportId": r.ID}
	r.Status, r.DueAt = string(pca.AuditReportStatusSuccess), time.Time{}
	if failure != nil {
		detail["result"], detail["reason"] = "failure", failure.Error()
		r.Status = string(pca.AuditReportStatusFailed)
		if r.Attempts < reportAttempts {
			r.Status, r.DueAt = string(pca.AuditReportStatusCreating), time.Now().Add(retryFirst<<r.Attempts)
		}
	}
	return errors.Join(failure, s.serviceEvent(ctx, ca, "GenerateAuditReport", detail), s.cfg.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutAuditReport(r) }))
}

func (s *Service) makeReport(ctx context.Context, ca *store.CertificateAuthority, r *store.AuditReport) error {
	if s.cfg.Buckets == nil {
		return errors.New("no S3 endpoint is configured (--s3-endpoint)")
	}
	f, err := s.tempFile()
	if err != nil {
		return err
	}
	defer f.Close()
	kind := "application/json"
	if r.Format == string(pca.AuditReportResponseFormatCsv) {
		kind = "text/csv"
	}
	if err := s.reportTo(ctx, f, ca, kind); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return s.cfg.Buckets.Put(ctx, &bucket.Object{Bucket: r.Bucket, Key: reportKey(r), ContentType: kind, Body: f})
}

// reportEntry is one certificate. The order of the fields is that of the columns.
type reportEntry struct {
	Account          string `json:"awsAccountId"`
	RequestedBy      string `json:"requestedByServicePrincipal"`
	CertificateARN   string `json:"certificateArn"`
	Serial           string `json:"serial"`
	Subject          string `json:"subject"`
	NotBefore        string `json:"notBefore"`
	NotAfter         string `json:"notAfter"`
	IssuedAt         string `json:"issuedAt"`
	RevokedAt        string `json:"revokedAt,omitempty"`
	RevocationReason string `json:"revocationReason,omitempty"`
	TemplateARN      string `json:"templateArn"`
}

func (e *reportEntry) columns() []string {
	return []string{e.Account, e.RequestedBy, e.CertificateARN, e.Serial, e.Subject, e.NotBefore, e.NotAfter, e.IssuedAt, e.RevokedAt, e.RevocationReason, e.TemplateARN}
}

func reportHeader() []string {
	return []string{"awsAccountId", "requestedByServicePrincipal", "certificateArn", "serial", "subject", "notBefore", "notAfter", "issuedAt", "revokedAt", "revocationReason", "templateArn"}
}

// reportTo writes one entry per certificate, a page of them at a time in memory.
func (s *Service) reportTo(ctx context.Context, f *os.File, ca *store.CertificateAuthority, kind string) error {
	out := bufio.NewWriter(f) // keeps the first error
	table, first := csv.NewWriter(out), true
	write := func(e *reportEntry) error {
		if kind == "text/csv" {
			return table.Write(e.columns())
		}
		text, err := json.Marshal(e)
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(text)
		return err
	}
	if kind == "text/csv" {
		if err := table.Write(reportHeader()); err != nil {
			return err
		}
	} else {
		out.WriteByte('[')
	}
	for after := ""; ; {
		var rows []store.IssuedCertificate
		var next string
		err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
			rows, next, err = tx.ListIssuedCertificates(ca.Account, ca.Region, ca.ID, store.MaxPage, after)
			return err
		})
		if err != nil {
			return err
		}
		for i := range rows {
			e, err := s.reportEntry(ctx, ca, &rows[i])
			if err == nil {
				err = write(e)
			}
			if err != nil {
				return err
			}
		}
		if after = next; after == "" {
			break
		}
	}
	table.Flush()
	if kind != "text/csv" {
		out.WriteByte(']')
	}
	return errors.Join(table.Error(), out.Flush())
}

// reportTime is how AWS writes times in reports.
const reportTime = "2006-01-02T15:04:05-0700"

func (s *Service) reportEntry(ctx context.Context, ca *store.CertificateAuthority, row *store.IssuedCertificate) (*reportEntry, error) {
	cert, err := x509.ParseCertificate(row.DER)
	if err != nil {
		return nil, errors.New("a stored certificate cannot be parsed: " + row.Serial)
	}
	e := &reportEntry{
		Account: string(ca.Account), CertificateARN: issuance.CertificateARN(ca, row.Serial), Serial: serialText(cert), Subject: cert.Subject.String(),
		NotBefore: cert.NotBefore.UTC().Format(reportTime), NotAfter: cert.NotAfter.UTC().Format(reportTime), IssuedAt: row.IssuedAt.UTC().Format(reportTime),
		TemplateARN: "arn:" + arn.Partition(ca.Region) + ":acm-pca:::template/" + row.Template + "/V1",
	}
	serial := hex.EncodeToString(cert.SerialNumber.Bytes())
	part, err := s.cfg.DB.View().RevokedPart(ctx, ca.Account, ca.Region, ca.IssuerKey, serial)
	if err != nil {
		return nil, err
	}
	if at, reason, revoked := part.Row.Find(serial); revoked {
		e.RevokedAt = at.Format(reportTime)
		for name, r := range authority.Reasons() {
			if r == authority.RevocationReason(reason) {
				e.RevocationReason = name
			}
		}
	}
	return e, nil
}
