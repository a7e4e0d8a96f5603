package rolesanywhere

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

func (s *Service) createTrustAnchor(_ context.Context, call *awsapi.Call, in *ra.CreateTrustAnchorInput) (*ra.CreateTrustAnchorOutput, error) {
	sourceType, data, err := s.checkSource(call, in.Source)
	if err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkSettings(tags); err != nil {
		return nil, err
	}
	settings, err := mergeNotifications(nil, in.NotificationSettings, call.Account)
	if err != nil {
		return nil, err
	}
	if quota := s.cfg.Quotas.TrustAnchors; quota > 0 {
		n, err := call.Tx.CountTrustAnchors(call.Account, call.Region)
		if err != nil {
			return nil, err
		}
		if n >= quota {
			return nil, overLimit("trust anchors in an account and region", quota)
		}
	}
	a := &store.TrustAnchor{
		Account: call.Account, Region: call.Region, ID: arn.NewUUID(), Name: *in.Name,
		// What is not asked for does not let anybody in.
		Enabled:    deref(in.Enabled),
		SourceType: sourceType, SourceData: data, Notifications: settings, Tags: tags,
		CreatedAt: call.Now, UpdatedAt: call.Now,
	}
	if err := call.Tx.CreateTrustAnchor(a); err != nil {
		return nil, err
	}
	return &ra.CreateTrustAnchorOutput{TrustAnchor: trustAnchorDetail(a)}, nil
}

// findTrustAnchor reads an anchor of the caller's account in the call's region.
func findTrustAnchor(call *awsapi.Call, id string) (*store.TrustAnchor, error) {
	a, err := call.Tx.GetTrustAnchor(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(kindTrustAnchor, id)
	}
	return a, err
}

// changeTrustAnchor reads an anchor, lets change edit it and writes it back, all in the call's transaction.
func changeTrustAnchor(call *awsapi.Call, id string, change func(*store.TrustAnchor) error) (*ra.TrustAnchorDetail, error) {
	a, err := findTrustAnchor(call, id)
	if err != nil {
		return nil, err
	}
	if err := change(a); err != nil {
		return nil, err
	}
	a.UpdatedAt = call.Now
	if err := call.Tx.PutTrustAnchor(a); err != nil {
		return nil, err
	}
	return trustAnchorDetail(a), nil
}

func getTrustAnchor(_ context.Context, call *awsapi.Call, in *ra.GetTrustAnchorInput) (*ra.GetTrustAnchorOutput, error) {
	a, err := findTrustAnchor(call, *in.TrustAnchorId)
	if err != nil {
		return nil, err
	}
	return &ra.GetTrustAnchorOutput{TrustAnchor: trustAnchorDetail(a)}, nil
}

// updateTrustAnchor keeps what the request leaves out. CRLs that another CA signed stay: they can only take trust away.
func (s *Service) updateTrustAnchor(_ context.Context, call *awsapi.Call, in *ra.UpdateTrustAnchorInput) (*ra.UpdateTrustAnchorOutput, error) {
	d, err := changeTrustAnchor(call, *in.TrustAnchorId, func(a *store.TrustAnchor) (err error) {
		if in.Name != nil {
			a.Name = *in.Name
		}
		if in.Source != nil {
			a.SourceType, a.SourceData, err = s.checkSource(call, in.Source)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ra.UpdateTrustAnchorOutput{TrustAnchor: d}, nil
}

func setTrustAnchorEnabled(enabled bool) handler[ra.ScalarTrustAnchorRequest, ra.TrustAnchorDetailResponse] {
	return func(_ context.Context, call *awsapi.Call, in *ra.ScalarTrustAnchorRequest) (*ra.TrustAnchorDetailResponse, error) {
		d, err := changeTrustAnchor(call, *in.TrustAnchorId, func(a *store.TrustAnchor) error {
			a.Enabled = enabled
			return nil
		})
		if err != nil {
			return nil, err
		}
		return &ra.TrustAnchorDetailResponse{TrustAnchor: d}, nil
	}
}

// deleteTrustAnchor deletes the anchor's CRLs with it: they mean nothing without it, and no other anchor can take them
// over.
func deleteTrustAnchor(_ context.Context, call *awsapi.Call, in *ra.DeleteTrustAnchorInput) (*ra.DeleteTrustAnchorOutput, error) {
	a, err := findTrustAnchor(call, *in.TrustAnchorId)
	if err != nil {
		return nil, err
	}
	crls, err := call.Tx.ListAnchorCRLs(call.Account, call.Region, a.ID)
	if err != nil {
		return nil, err
	}
	for i := range crls {
		if err := call.Tx.DeleteCRL(call.Account, call.Region, crls[i].ID); err != nil {
			return nil, err
		}
	}
	if err := call.Tx.DeleteTrustAnchor(call.Account, call.Region, a.ID); err != nil {
		return nil, err
	}
	return &ra.DeleteTrustAnchorOutput{TrustAnchor: trustAnchorDetail(a)}, nil
}

func listTrustAnchors(_ context.Context, call *awsapi.Call, in *ra.ListRequest) (*ra.ListTrustAnchorsOutput, error) {
	details, next, err := listPage(call, in, kindTrustAnchor, call.Tx.ListTrustAnchors, func(a *store.TrustAnchor) item[ra.TrustAnchorDetail] {
		return item[ra.TrustAnchorDetail]{*trustAnchorDetail(a), a.ID, len(a.SourceData)}
	})
	if err != nil {
		return nil, err
	}
	return &ra.ListTrustAnchorsOutput{TrustAnchors: details, NextToken: next}, nil
}

func trustAnchorDetail(a *store.TrustAnchor) *ra.TrustAnchorDetail {
	data := &ra.SourceData{}
	if a.SourceType == sourceACMPCA {
		data.AcmPcaArn = &a.SourceData
	} else {
		data.X509CertificateData = &a.SourceData
	}
	return &ra.TrustAnchorDetail{
		TrustAnchorId:  &a.ID,
		TrustAnchorArn: new(arn.RolesAnywhere(a.Region, a.Account, string(kindTrustAnchor), a.ID).String()),
		Name:           &a.Name, Enabled: &a.Enabled,
		Source:    &ra.Source{SourceType: new(ra.TrustAnchorType(a.SourceType)), SourceData: data},
		CreatedAt: &a.CreatedAt, UpdatedAt: &a.UpdatedAt,
		NotificationSettings: notificationDetails(a.Notifications),
	}
}
