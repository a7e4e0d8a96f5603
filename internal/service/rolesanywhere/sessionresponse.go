package rolesanywhere

import (
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// sessionResponse is the answer to CreateSession. Every member is always present: strict clients demand it.
type sessionResponse struct {
	CredentialSet []credentialSet `json:"credentialSet"`
	SubjectArn    string          `json:"subjectArn"`
}

type credentialSet struct {
	AssumedRoleUser  assumedRoleUser `json:"assumedRoleUser"`
	Credentials      credentials     `json:"credentials"`
	PackedPolicySize int             `json:"packedPolicySize"` // percent of what a session may carry
	RoleArn          string          `json:"roleArn"`
	SourceIdentity   string          `json:"sourceIdentity"`
}

type assumedRoleUser struct {
	Arn           string `json:"arn"`
	AssumedRoleID string `json:"assumedRoleId"`
}

type credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	Expiration      string `json:"expiration"` // RFC 3339, UTC, whole seconds
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
}

func (r *sessionResponse) encode() ([]byte, error) { return json.Marshal(r) }

func formatExpiration(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// subjectID names the subject of a certificate without a lookup: it is a hash of where it lives and of its
// distinguished name, in UUID form (RFC 9562 §5.8, version 8).
func subjectID(account arn.AccountID, region arn.Region, dn string) string {
	sum := sha256.Sum256([]byte("rolecall subject\x00" + string(account) + "\x00" + string(region) + "\x00" + dn))
	var id [16]byte
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return arn.FormatUUID(id)
}
