package pcaconnectorad

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/awsapi"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) createRegistration(_ context.Context, call *awsapi.Call, in *ad.CreateDirectoryRegistrationInput) (*ad.CreateDirectoryRegistrationOutput, error) {
	request := *in
	request.ClientToken = nil
	name, err := once(call, in.ClientToken, request, func() (string, error) { return s.addRegistration(call, in) })
	return &ad.CreateDirectoryRegistrationOutput{DirectoryRegistrationArn: &name}, err
}

// addRegistration replaces one that failed.
func (s *Service) addRegistration(call *awsapi.Call, in *ad.CreateDirectoryRegistrationInput) (string, error) {
	r := registrationRef(*in.DirectoryId)
	if _, err := findDirectory(call, r.directory); err != nil {
		return "", err
	}
	old, err := call.Tx.GetDirectoryRegistration(call.Account, call.Region, r.directory)
	switch {
	case err == nil && old.Status != failed:
		return "", conflict(r.kind.auditType(), r.arn(call), "Directory %s is registered already", r.directory)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	row := &store.DirectoryRegistration{Account: call.Account, Region: call.Region, Directory: r.directory, Status: creating, CreatedAt: call.Now, UpdatedAt: call.Now}
	if row.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return "", err
	}
	s.worker.Nudge()
	return r.arn(call), call.Tx.PutDirectoryRegistration(row)
}

// findDirectory reads what the operator made.
func findDirectory(call *awsapi.Call, id string) (*store.Directory, error) {
	d, err := call.Tx.GetDirectory(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing("Directory", "AWS::DirectoryService::Directory", id)
	}
	return d, err
}

func findRegistration(call *awsapi.Call, text string) (*store.DirectoryRegistration, error) {
	r, err := parse(call, text, kindRegistration)
	if err != nil {
		return nil, err
	}
	row, err := call.Tx.GetDirectoryRegistration(call.Account, call.Region, r.directory)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(r.kind, text)
	}
	return row, err
}

func getRegistration(_ context.Context, call *awsapi.Call, in *ad.GetDirectoryRegistrationInput) (*ad.GetDirectoryRegistrationOutput, error) {
	row, err := findRegistration(call, *in.DirectoryRegistrationArn)
	if err != nil {
		return nil, err
	}
	d := ad.DirectoryRegistration(registrationSummary(call, row))
	return &ad.GetDirectoryRegistrationOutput{DirectoryRegistration: &d}, nil
}

func registrationSummary(call *awsapi.Call, r *store.DirectoryRegistration) ad.DirectoryRegistrationSummary {
	return ad.DirectoryRegistrationSummary{
		Arn: new(registrationRef(r.Directory).arn(call)), DirectoryId: &r.Directory, Status: new(ad.DirectoryRegistrationStatus(r.Status)),
		StatusReason: optional[ad.DirectoryRegistrationStatusReason](r.Reason), CreatedAt: &r.CreatedAt, UpdatedAt: &r.UpdatedAt,
	}
}

// deleteRegistration is refused while a connector uses the directory: nobody could enroll through it any more.
func (s *Service) deleteRegistration(_ context.Context, call *awsapi.Call, in *ad.DeleteDirectoryRegistrationInput) (*ad.DeleteDirectoryRegistrationOutput, error) {
	out := &ad.DeleteDirectoryRegistrationOutput{}
	r, err := parse(call, *in.DirectoryRegistrationArn, kindRegistration)
	if err != nil {
		return nil, orGone(err)
	}
	row, err := call.Tx.GetDirectoryRegistration(call.Account, call.Region, r.directory)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	connectors, err := call.Tx.ListDirectoryConnectors(call.Account, call.Region, r.directory)
	if err != nil {
		return nil, err
	}
	for i := range connectors {
		if st := connectors[i].Status; st == active || st == creating {
			id := connectorRef(connectors[i].ID)
			return nil, conflict(id.kind.auditType(), id.arn(call), "Directory %s is in use by connector %s", r.directory, id.arn(call))
		}
	}
	row.Status, row.Reason, row.UpdatedAt = deleting, "", call.Now
	s.worker.Nudge()
	return out, call.Tx.PutDirectoryRegistration(row)
}

// orGone turns "not found" into a refusal that the model of these deletions has.
func orGone(err error) error {
	if e, ok := errors.AsType[*awsapi.Error](err); ok && e.Code == "ResourceNotFoundException" {
		return invalid("%s", e.Message)
	}
	return err
}

func listRegistrations(_ context.Context, call *awsapi.Call, in *ad.ListDirectoryRegistrationsInput) (*ad.ListDirectoryRegistrationsOutput, error) {
	rows, next, err := listPage(call, in.MaxResults, in.NextToken, "",
		func(limit int, after string) ([]store.DirectoryRegistration, string, error) {
			return call.Tx.ListDirectoryRegistrations(call.Account, call.Region, limit, after)
		},
		func(r *store.DirectoryRegistration) (ad.DirectoryRegistrationSummary, string, int, error) {
			return registrationSummary(call, r), r.Directory, 0, nil
		})
	return &ad.ListDirectoryRegistrationsOutput{DirectoryRegistrations: rows, NextToken: next}, err
}
