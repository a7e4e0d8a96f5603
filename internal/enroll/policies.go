package enroll

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/xcep"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// policyAge is how long "not changed" may be answered: what a caller is shown depends on groups, which change without a
// trace here.
const policyAge = 8 * time.Hour

// policies answers GetPolicies with the templates that the caller may enroll for.
func (h *Handler) policies(ctx context.Context, a *attempt, m *soap.Message) ([]byte, error) {
	req, err := xcep.ReadRequest(m.Body)
	if err != nil {
		return nil, hresult.Refuse(hresult.InvalidArgument, "The request cannot be read: %s", err)
	}
	list, err := h.connectors(ctx, a.site)
	if err != nil {
		return nil, err
	}
	res := &xcep.Response{PolicyID: PolicyID(&a.site.row), Name: a.site.row.Realm}
	res.NotChanged = unchanged(list, req.LastUpdate, a.now)
	if res.NotChanged {
		return xcep.Write(res, m.MessageID), nil
	}
	for _, c := range list {
		ca, err := h.view.Authority(ctx, c.row.Account, c.row.Region, c.authority)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if string(issuance.StatusOf(&ca.Row, a.now)) != active || len(ca.Row.Certificate) == 0 {
			continue // it cannot issue, and Windows refuses an answer with an empty certificate
		}
		ref := len(res.CAs)
		for _, t := range c.templates {
			enroll, auto := a.caller.may(t)
			if !enroll || !req.Wants(t) {
				continue
			}
			if ref == len(res.CAs) {
				res.CAs = append(res.CAs, xcep.CA{Certificate: ca.Row.Certificate, URIs: enrollURIs(a.site.row.PolicyHost, c.authority, a.endpoint.authentication, len(a.site.row.Keytab) > 0)})
			}
			res.Policies = append(res.Policies, xcep.Policy{Template: t, CA: ref, Enroll: true, AutoEnroll: auto})
		}
	}
	return xcep.Write(res, m.MessageID), nil
}

// unchanged reports whether a client that asked at last has the current policies.
func unchanged(list []*connector, last, now time.Time) bool {
	if last.IsZero() || last.After(now) || now.Sub(last) > policyAge {
		return false
	}
	for _, c := range list {
		if !c.row.PolicyChangedAt.Before(last) {
			return false
		}
	}
	return len(list) > 0
}

// PolicyID is the directory's name for clients: a GUID that never changes.
func PolicyID(d *store.Directory) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "enrollment policy\x00%s\x00%s\x00%s", d.Account, d.Region, d.ID))
	var id [16]byte
	copy(id[:], sum[:])
	return "{" + strings.ToUpper(arn.FormatUUID(id)) + "}"
}
