package enroll

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/rolecall/rolecall/internal/enroll/cmc"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/wstep"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// checkRenewal decides whether the certificate that signed a request may be renewed by the caller: it is one of this CA, in
// force, not revoked, and was issued to the caller's own SID. Whether it is of this CA is read from the store, not from its
// signature.
func checkRenewal(tx *store.Tx, a *attempt, ca *store.CertificateAuthority, req *cmc.Request) error {
	old := req.Renews
	foreign := hresult.Refuse(hresult.Signature, "The request is signed by a certificate that this certification authority did not issue to the caller")
	serial := fmt.Sprintf("%032x", old.SerialNumber)
	row, err := tx.GetIssuedCertificate(ca.Account, ca.Region, ca.ID, serial)
	if errors.Is(err, store.ErrNotFound) {
		return foreign
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(row.DER, old.Raw) {
		return foreign
	}
	holder, err := tx.FindEnrollmentRequest(ca.Account, ca.Region, ca.ID, serial)
	if errors.Is(err, store.ErrNotFound) {
		return foreign
	}
	if err != nil {
		return err
	}
	if holder.SID != a.caller.sid {
		return foreign
	}
	if tx.Now.After(old.NotAfter) || tx.Now.Before(old.NotBefore) {
		return hresult.Refuse(hresult.Expired, "The certificate that signed the request is not in force")
	}
	_, err = tx.GetRevokedCertificate(ca.Account, ca.Region, ca.IssuerKey, hex.EncodeToString(old.SerialNumber.Bytes()))
	if err == nil {
		return hresult.Refuse(hresult.Revoked, "The certificate that signed the request has been revoked")
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if a.template.SameKey() {
		key, ok := req.CSR.Request().PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !key.Equal(old.PublicKey) {
			return hresult.Refuse(hresult.RenewalPublicKey, "The template renews certificates with the same key only")
		}
	}
	return nil
}

// status answers what became of a request: there is an answer for who made it, and nobody else.
func (h *Handler) status(ctx context.Context, a *attempt, rst *wstep.Request) error {
	none := hresult.Refuse(hresult.NoRequest, "There is no such request of the caller")
	id, err := strconv.ParseInt(rst.RequestID, 10, 64)
	if err != nil || id < 1 {
		return none
	}
	c := a.connector
	err = h.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		row, err := tx.GetEnrollmentRequest(c.row.Account, c.row.Region, c.row.ID, id)
		if err != nil {
			return err
		}
		if row.SID != a.caller.sid {
			return none
		}
		ca, err := tx.GetAuthority(row.Account, row.Region, row.Authority)
		if err != nil {
			return err
		}
		cert, err := tx.GetIssuedCertificate(row.Account, row.Region, row.Authority, row.Serial)
		if err != nil {
			return err
		}
		leaf, err := x509.ParseCertificate(cert.DER)
		a.cert = &issued{ca: ca, leaf: leaf, arn: issuance.CertificateARN(ca, row.Serial)}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return none
	}
	if err != nil {
		a.cert = nil
		return err
	}
	a.requestID = strconv.FormatInt(id, 10)
	return nil
}

// idRange is what is left of a connector's reserved request ids.
type idRange struct{ next, end int64 }

// nextID takes a request id of the connector. Ids begin at 1: clients read 0 as none.
func (h *Handler) nextID(ctx context.Context, c *connector) (int64, error) {
	key := siteKey{c.row.Account, c.row.Region, c.row.ID}
	h.idMu.Lock()
	defer h.idMu.Unlock()
	r := h.ids[key]
	if r == nil || r.next == r.end {
		var first int64
		err := h.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
			first, err = tx.ReserveEnrollmentRequests(key.account, key.region, key.id, idBlock)
			return err
		})
		if err != nil {
			return 0, err
		}
		r = &idRange{first, first + idBlock}
		h.ids[key] = r
	}
	r.next++
	return r.next - 1, nil
}
