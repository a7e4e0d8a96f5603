package cloudtrail

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	model "github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
	"github.com/rolecall/rolecall/internal/store"
)

// A page token is the position of the last event shown and a check that it was made for this query, account and region
// included. The check finds mistakes, not forgeries: wherever a forger points, the page holds only what the caller may
// see anyway.
//
//	version (1) ‖ event time, microseconds, big endian (8) ‖ event id ‖ check (8)
const (
	tokenVersion = 1
	tokenHead    = 1 + 8
	tokenCheck   = 8
	maxTokenID   = 128  // bytes of an event id
	maxToken     = 1024 // characters
)

// makeToken packs the store's key, "MICROSECONDS/ID".
func makeToken(f *store.EventFilter, key string) (string, error) {
	digits, id, ok := strings.Cut(key, "/")
	micros, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return "", fmt.Errorf("cloudtrail: not a key of the store: %q", key)
	}
	raw := binary.BigEndian.AppendUint64([]byte{tokenVersion}, uint64(micros))
	raw = append(raw, id...)
	return base64.RawURLEncoding.EncodeToString(append(raw, tokenSum(f, raw)...)), nil
}

// openToken unpacks a token of this very query.
func openToken(f *store.EventFilter, token string) (string, error) {
	invalid := model.InvalidNextTokenException("The next token is not valid: it must be passed as it was received, with the same lookup attributes and time range")
	if len(token) > maxToken {
		return "", invalid
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= tokenHead+tokenCheck || len(raw) > tokenHead+maxTokenID+tokenCheck || raw[0] != tokenVersion {
		return "", invalid
	}
	body, check := raw[:len(raw)-tokenCheck], raw[len(raw)-tokenCheck:]
	if subtle.ConstantTimeCompare(check, tokenSum(f, body)) != 1 {
		return "", invalid
	}
	id := body[tokenHead:]
	for _, c := range id {
		if c <= ' ' || c > '~' { // no event has such an id
			return "", invalid
		}
	}
	micros := int64(binary.BigEndian.Uint64(body[1:]))
	return strconv.FormatInt(micros, 10) + "/" + string(id), nil
}

// tokenSum covers the query and the position. The size of a page may change on the way.
func tokenSum(f *store.EventFilter, body []byte) []byte {
	h := sha256.New()
	readOnly := ""
	if f.ReadOnly != nil {
		readOnly = strconv.FormatBool(*f.ReadOnly)
	}
	for _, part := range []string{
		"rolecall lookup", string(f.Account), string(f.Region), f.ID, f.Name, readOnly, f.Source, f.Username,
		f.AccessKeyID, f.ResourceType, f.ResourceName, tokenTime(f.Start), tokenTime(f.End),
	} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part)))) // bounded by the body's size
		h.Write([]byte(part))
	}
	h.Write(body)
	return h.Sum(nil)[:tokenCheck]
}

func tokenTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
