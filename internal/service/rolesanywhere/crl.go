package rolesanywhere

import (
	"context"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/store"
)

// importCRL stores a list that the anchor's CA signed. The anchor may be disabled: revocations should be in place before
// it is enabled. A list past its nextUpdate is taken, because it still revokes what it names.
func (s *Service) importCRL(_ context.Context, call *awsapi.Call, in *ra.ImportCrlInput) (*ra.ImportCrlOutput, error) {
	anchor, err := anchorOfCRL(call, *in.TrustAnchorArn)
	if err != nil {
		return nil, err
	}
	if err := checkCRL(call, anchor, in.CrlData); err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	if quota := s.cfg.Quotas.CRLsPerAnchor; quota > 0 {
		n, err := call.Tx.CountAnchorCRLs(call.Account, call.Region, anchor.ID)
		if err != nil {
			return nil, err
		}
		if n >= quota {
			return nil, overLimit("CRLs for a trust anchor", quota)
		}
	}
	c := &store.CRL{
		Account: call.Account, Region: call.Region, ID: arn.NewUUID(), Name: *in.Name, Enabled: deref(in.Enabled),
		Data: in.CrlData, TrustAnchorID: anchor.ID, Tags: tags, CreatedAt: call.Now, UpdatedAt: call.Now,
	}
	if err := call.Tx.CreateCRL(c); err != nil {
		return nil, err
	}
	return &ra.ImportCrlOutput{Crl: crlDetail(c)}, nil
}

// anchorOfCRL finds the anchor that a list is for. ImportCrl's model knows no ResourceNotFoundException, so that an
// anchor which is not there is a validation error.
func anchorOfCRL(call *awsapi.Call, text string) (*store.TrustAnchor, error) {
	missing := ra.ValidationException("Specified Trust Anchor wasn't found.")
	a, err := arn.Parse(text)
	if err != nil || a.Account != call.Account || a.Region != call.Region || a.Partition != call.Partition ||
		!strings.HasPrefix(a.Resource, string(kindTrustAnchor)+"/") || !isID(resourceID(a)) {
		return nil, missing
	}
	anchor, err := call.Tx.GetTrustAnchor(call.Account, call.Region, resourceID(a))
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing
	}
	return anchor, err
}

// checkCRL accepts a list, PEM or DER, that one of the anchor's certificates signed.
func checkCRL(call *awsapi.Call, anchor *store.TrustAnchor, data []byte) error {
	crl, err := certchain.ParseCRL(data)
	if err != nil {
		return chainValidation(err)
	}
	anchors, err := storedAnchors(call.Tx, anchor)
	if err != nil {
		return err
	}
	if anchors == nil {
		return ra.ValidationException("The trust anchor's certificate authority is not available here: the CRL's signature cannot be checked")
	}
	if err := crl.CheckSignature(anchors); err != nil {
		return chainValidation(err)
	}
	return nil
}

// storedAnchors are the certificates of an anchor of any kind; nil if its private CA is not there or has none.
func storedAnchors(tx *store.Tx, anchor *store.TrustAnchor) (*certchain.Anchors, error) {
	if anchor.SourceType == sourceCertificateBundle {
		return certchain.ParseAnchors(anchor.SourceData) // it was checked when it was stored
	}
	id, ok := authorityOf(anchor)
	if !ok {
		return nil, nil
	}
	ca, err := tx.GetAuthority(anchor.Account, anchor.Region, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (ca.Status == statusDeleted || len(ca.Certificate) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return certchain.ParseAnchors(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate})))
}

func findCRL(call *awsapi.Call, id string) (*store.CRL, error) {
	c, err := call.Tx.GetCRL(call.Account, call.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(kindCRL, id)
	}
	return c, err
}

// changeCRL reads a list, lets change edit it and writes it back, all in the call's transaction.
func changeCRL(call *awsapi.Call, id string, change func(*store.CRL) error) (*ra.CrlDetailResponse, error) {
	c, err := findCRL(call, id)
	if err != nil {
		return nil, err
	}
	if err := change(c); err != nil {
		return nil, err
	}
	c.UpdatedAt = call.Now
	if err := call.Tx.PutCRL(c); err != nil {
		return nil, err
	}
	return &ra.CrlDetailResponse{Crl: crlDetail(c)}, nil
}

func getCRL(_ context.Context, call *awsapi.Call, in *ra.GetCrlInput) (*ra.GetCrlOutput, error) {
	c, err := findCRL(call, *in.CrlId)
	if err != nil {
		return nil, err
	}
	return &ra.GetCrlOutput{Crl: crlDetail(c)}, nil
}

func updateCRL(_ context.Context, call *awsapi.Call, in *ra.UpdateCrlInput) (*ra.UpdateCrlOutput, error) {
	return changeCRL(call, *in.CrlId, func(c *store.CRL) error {
		if in.Name != nil {
			c.Name = *in.Name
		}
		if in.CrlData == nil {
			return nil
		}
		anchor, err := call.Tx.GetTrustAnchor(call.Account, call.Region, c.TrustAnchorID)
		if errors.Is(err, store.ErrNotFound) {
			return ra.ValidationException("Specified Trust Anchor wasn't found.")
		}
		if err != nil {
			return err
		}
		c.Data = in.CrlData
		return checkCRL(call, anchor, in.CrlData)
	})
}

func setCRLEnabled(enabled bool) handler[ra.ScalarCrlRequest, ra.CrlDetailResponse] {
	return func(_ context.Context, call *awsapi.Call, in *ra.ScalarCrlRequest) (*ra.CrlDetailResponse, error) {
		return changeCRL(call, *in.CrlId, func(c *store.CRL) error {
			c.Enabled = enabled
			return nil
		})
	}
}

func deleteCRL(_ context.Context, call *awsapi.Call, in *ra.DeleteCrlInput) (*ra.DeleteCrlOutput, error) {
	c, err := findCRL(call, *in.CrlId)
	if err != nil {
		return nil, err
	}
	if err := call.Tx.DeleteCRL(call.Account, call.Region, c.ID); err != nil {
		return nil, err
	}
	return &ra.DeleteCrlOutput{Crl: crlDetail(c)}, nil
}

func listCRLs(_ context.Context, call *awsapi.Call, in *ra.ListRequest) (*ra.ListCrlsOutput, error) {
	details, next, err := listPage(call, in, kindCRL, call.Tx.ListCRLs, func(c *store.CRL) item[ra.CrlDetail] {
		return item[ra.CrlDetail]{*crlDetail(c), c.ID, len(c.Data)}
	})
	if err != nil {
		return nil, err
	}
	return &ra.ListCrlsOutput{Crls: details, NextToken: next}, nil
}

func crlDetail(c *store.CRL) *ra.CrlDetail {
	return &ra.CrlDetail{
		CrlId: &c.ID, CrlArn: new(arn.RolesAnywhere(c.Region, c.Account, string(kindCRL), c.ID).String()),
		Name: &c.Name, Enabled: &c.Enabled, CrlData: c.Data,
		TrustAnchorArn: new(arn.RolesAnywhere(c.Region, c.Account, string(kindTrustAnchor), c.TrustAnchorID).String()),
		CreatedAt:      &c.CreatedAt, UpdatedAt: &c.UpdatedAt,
	}
}
