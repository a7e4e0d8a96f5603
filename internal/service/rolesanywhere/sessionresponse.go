package rolesanywhere

import (
	"crypto/sha256"
	"strconv"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi/wire"
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
	AccessKeyID     string    `json:"accessKeyId"`
	Expiration      time.Time `json:"expiration"` // UTC, whole seconds
	SecretAccessKey string    `json:"secretAccessKey"`
	SessionToken    string    `json:"sessionToken"`
}

// append writes the answer by hand: it is on the hot path. A test holds it against encoding/json.
func (r *sessionResponse) append(b []byte) []byte {
	b = append(b, `{"credentialSet":[`...)
	for i, c := range r.CredentialSet {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, `{"assumedRoleUser":{"arn":`, c.AssumedRoleUser.Arn)
		b = appendMember(b, `,"assumedRoleId":`, c.AssumedRoleUser.AssumedRoleID)
		b = appendMember(b, `},"credentials":{"accessKeyId":`, c.Credentials.AccessKeyID)
		b = append(b, `,"expiration":"`...)
		b = c.Credentials.Expiration.AppendFormat(b, time.RFC3339)
		b = appendMember(b, `","secretAccessKey":`, c.Credentials.SecretAccessKey)
		b = appendMember(b, `,"sessionToken":`, c.Credentials.SessionToken)
		b = append(b, `},"packedPolicySize":`...)
		b = strconv.AppendInt(b, int64(c.PackedPolicySize), 10)
		b = appendMember(b, `,"roleArn":`, c.RoleArn)
		b = appendMember(b, `,"sourceIdentity":`, c.SourceIdentity)
		b = append(b, '}')
	}
	b = appendMember(b, `],"subjectArn":`, r.SubjectArn)
	return append(b, '}')
}

func appendMember(b []byte, before, text string) []byte {
	return wire.AppendJSONString(append(b, before...), text)
}

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
