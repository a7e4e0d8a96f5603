package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	account arn.AccountID = "123456789012"
	region  arn.Region    = "eu-central-1"
)

// resources are the ARNs that a CreateSession request names.
type resources struct{ anchor, profile, role string }

// credentials are the part of CreateSession's answer that signs further requests.
type credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
}

// target is rolecalld on a data folder of its own, with an anchor, a profile and a role for each kind of key.
type target struct {
	program string
	dataDir string
	server  *child // nil while stopped
	pkis    map[keyKind]*pki
	ids     map[keyKind]resources
	filled  int // anchors, roles and subjects added by fill
}

// newTarget lets rolecalld make the data folder and the account, and then writes the rest through the store. The
// control plane is not what is measured.
func newTarget(ctx context.Context, program, parent string, pkis map[keyKind]*pki) (*target, error) {
	dir, err := os.MkdirTemp(parent, "rolecall-bench-")
	if err != nil {
		return nil, err
	}
	t := &target{program: program, dataDir: dir, pkis: pkis, ids: map[keyKind]resources{}}
	if err := t.start(ctx); err != nil {
		return nil, errors.Join(err, t.close())
	}
	err = t.whileStopped(ctx, func(db *store.DB) error {
		for kind, p := range pkis {
			if err := t.addResources(ctx, db, kind, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *target) start(ctx context.Context) (err error) {
	t.server, err = startServer(ctx, t.program, t.dataDir)
	return err
}

// close stops the server and removes its data.
func (t *target) close() error {
	var err error
	if t.server != nil {
		err = t.server.stop()
		t.server = nil
	}
	return errors.Join(err, os.RemoveAll(t.dataDir))
}

// whileStopped runs fn on the store between two runs of the server. Requests made before name another port after it.
func (t *target) whileStopped(ctx context.Context, fn func(*store.DB) error) (err error) {
	if err := t.server.stop(); err != nil {
		return err
	}
	t.server = nil
	db, err := store.Open(ctx, store.Config{Source: "sqlite:" + filepath.Join(t.dataDir, "rolecall.db")})
	if err != nil {
		return err
	}
	if err := errors.Join(fn(db), db.Close()); err != nil {
		return err
	}
	return t.start(ctx)
}

// trustPolicy pins anchor and issuer, as the quickstart's does.
func trustPolicy(anchorARN, issuerCN string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]any{"Service": "rolesanywhere.amazonaws.com"},
			"Action":    []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			"Condition": map[string]any{
				"ArnEquals":    map[string]any{"aws:SourceArn": anchorARN},
				"StringEquals": map[string]any{"aws:PrincipalTag/x509Issuer/CN": issuerCN},
			},
		}},
	})
	return string(text), err
}

// rolePolicy is what the sessions may do.
const rolePolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["rolesanywhere:List*","rolesanywhere:Get*","s3:GetObject"],"Resource":"*"}]}`

func (t *target) addResources(ctx context.Context, db *store.DB, kind keyKind, p *pki) error {
	anchorID, profileID, roleName := arn.NewUUID(), arn.NewUUID(), "bench-"+string(kind)
	ids := resources{
		anchor:  arn.RolesAnywhere(region, account, "trust-anchor", anchorID).String(),
		profile: arn.RolesAnywhere(region, account, "profile", profileID).String(),
		role:    arn.Role(arn.Partition(region), account, "/", roleName).String(),
	}
	trust, err := trustPolicy(ids.anchor, p.ca.Subject.CommonName)
	if err != nil {
		return err
	}
	t.ids[kind] = ids
	var mappings []store.AttributeMapping
	for _, m := range certattr.Defaults() { // what CreateProfile stores
		mappings = append(mappings, store.AttributeMapping{CertificateField: m.CertificateField, Specifiers: m.Specifiers})
	}
	return db.Update(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.CreateTrustAnchor(&store.TrustAnchor{
				Account: account, Region: region, ID: anchorID, Name: "bench " + string(kind), Enabled: true,
				SourceType: "CERTIFICATE_BUNDLE", SourceData: p.caPEM, CreatedAt: tx.Now, UpdatedAt: tx.Now,
			}),
			tx.CreateProfile(&store.Profile{
				Account: account, Region: region, ID: profileID, Name: "bench " + string(kind), Enabled: true,
				RoleARNs: []string{ids.role}, Duration: 3600, Mappings: mappings, CreatedAt: tx.Now, UpdatedAt: tx.Now,
			}),
			tx.CreateRole(&store.Role{
				Account: account, Name: roleName, Path: "/", ID: sessiontoken.NewID("AROA"), TrustPolicy: trust, MaxSession: 3600, CreatedAt: tx.Now,
			}),
			tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerRole, OwnerName: roleName, Name: "look-around", Document: rolePolicy}),
		)
	})
}

// fill brings the store to n anchors, n roles and n subjects besides those in use, and starts the server anew.
func (t *target) fill(ctx context.Context, n int) error {
	return t.whileStopped(ctx, func(db *store.DB) error {
		for t.filled < n {
			size := min(500, n-t.filled)
			if err := t.fillSome(ctx, db, t.filled, size); err != nil {
				return err
			}
			t.filled += size
		}
		return nil
	})
}

func (t *target) fillSome(ctx context.Context, db *store.DB, from, size int) error {
	p := t.pkis[p256]
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.leaf.Raw}))
	return db.Update(ctx, func(tx *store.Tx) error {
		subjects := make([]store.Subject, size)
		for i := range size {
			name := fmt.Sprintf("filler-%06d", from+i)
			id := arn.NewUUID()
			trust, err := trustPolicy(arn.RolesAnywhere(region, account, "trust-anchor", id).String(), name)
			if err != nil {
				return err
			}
			err = tx.CreateTrustAnchor(&store.TrustAnchor{
				Account: account, Region: region, ID: id, Name: name, Enabled: true,
				SourceType: "CERTIFICATE_BUNDLE", SourceData: p.caPEM, CreatedAt: tx.Now, UpdatedAt: tx.Now,
			})
			if err != nil {
				return err
			}
			err = tx.CreateRole(&store.Role{
				Account: account, Name: name, Path: "/", ID: sessiontoken.NewID("AROA"), TrustPolicy: trust, MaxSession: 3600, CreatedAt: tx.Now,
			})
			if err != nil {
				return err
			}
			subjects[i] = store.Subject{
				Account: account, Region: region, ID: arn.NewUUID(), DN: "CN=" + name, Enabled: true, CreatedAt: tx.Now, UpdatedAt: tx.Now, LastSeenAt: tx.Now,
				Credentials: []store.SubjectCredential{{Serial: fmt.Sprintf("%032x", from+i), Issuer: p.ca.Subject.String(), SeenAt: tx.Now, CertPEM: certPEM, Enabled: true}},
			}
		}
		return tx.UpsertSubjects(subjects)
	})
}

// once sends the first request of a pool and returns the body of its answer.
func (t *target) once(ctx context.Context, p *pool) ([]byte, error) {
	requests, err := p.fresh()
	if err != nil {
		return nil, err
	}
	c, err := dial(ctx, t.server.address, 1)
	if err != nil {
		return nil, err
	}
	defer c.close()
	conn := c.conns[0].tls
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(requests[0]); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != p.status {
		return nil, fmt.Errorf("the first request was answered with %s instead of status %d: %s", resp.Status, p.status, bytes.TrimSpace(body))
	}
	return body, nil
}

// sessionCredentials reads CreateSession's answer.
func sessionCredentials(body []byte) (credentials, error) {
	var answer struct {
		CredentialSet []struct {
			Credentials credentials `json:"credentials"`
		} `json:"credentialSet"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.CredentialSet) != 1 {
		return credentials{}, errors.Join(errors.New("CreateSession's answer does not hold one credential set"), err)
	}
	return answer.CredentialSet[0].Credentials, nil
}
