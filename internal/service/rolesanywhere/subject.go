package rolesanywhere

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

// Subjects are written by CreateSession, by way of the audit log; the API only reads and tags them.

func findSubject(call *awsapi.Call, id string) (*store.Subject, error) {
	s, err := call.Tx.GetSubject(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(kindSubject, id)
	}
	return s, err
}

func getSubject(_ context.Context, call *awsapi.Call, in *ra.GetSubjectInput) (*ra.GetSubjectOutput, error) {
	s, err := findSubject(call, *in.SubjectId)
	if err != nil {
		return nil, err
	}
	d := &ra.SubjectDetail{
		SubjectArn: new(subjectARN(s)), SubjectId: &s.ID, Enabled: &s.Enabled, X509Subject: &s.DN,
		LastSeenAt: &s.LastSeenAt, CreatedAt: &s.CreatedAt, UpdatedAt: &s.UpdatedAt,
		Credentials: make([]ra.CredentialSummary, len(s.Credentials)),
		// "Unused, saved for future use": CreateSession keeps no instance properties.
		InstanceProperties: []ra.InstanceProperty{},
	}
	for i := range s.Credentials {
		c := &s.Credentials[i]
		d.Credentials[i] = ra.CredentialSummary{
			SeenAt: &c.SeenAt, SerialNumber: &c.Serial, Issuer: &c.Issuer, Enabled: &c.Enabled,
			X509CertificateData: &c.CertPEM, Failed: &c.Failed,
		}
	}
	return &ra.GetSubjectOutput{Subject: d}, nil
}

func listSubjects(_ context.Context, call *awsapi.Call, in *ra.ListRequest) (*ra.ListSubjectsOutput, error) {
	summaries, next, err := listPage(call, in, kindSubject, call.Tx.ListSubjects, func(s *store.Subject) item[ra.SubjectSummary] {
		return item[ra.SubjectSummary]{ra.SubjectSummary{
			SubjectArn: new(subjectARN(s)), SubjectId: &s.ID, Enabled: &s.Enabled, X509Subject: &s.DN,
			LastSeenAt: &s.LastSeenAt, CreatedAt: &s.CreatedAt, UpdatedAt: &s.UpdatedAt,
		}, s.ID, len(s.DN)}
	})
	if err != nil {
		return nil, err
	}
	return &ra.ListSubjectsOutput{Subjects: summaries, NextToken: next}, nil
}

func subjectARN(s *store.Subject) string {
	return arn.RolesAnywhere(s.Region, s.Account, string(kindSubject), s.ID).String()
}
