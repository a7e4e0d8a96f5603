package rolesanywhere

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
)

// Bounds of a page. A larger pageSize is taken as the largest: a page may always hold less than was asked for.
const (
	defaultPage = 50
	maxPage     = 100
	// pageBytes ends a page early once it holds this much of what callers stored.
	pageBytes = 2 << 20
	// readBatch is how many rows are read at once; rows can be hundreds of kilobytes.
	readBatch = 10
)

func pageLimit(size *int32) (int, error) {
	if size == nil {
		return defaultPage, nil
	}
	if *size < 1 {
		return 0, ra.ValidationException("1 validation error detected: Value '%d' at 'pageSize' failed to satisfy constraint: Member must have value greater than or equal to 1", *size)
	}
	return min(int(*size), maxPage), nil
}

// item is one row as a list shows it.
type item[Detail any] struct {
	detail Detail
	id     string
	size   int // bytes of caller-given data in it, roughly
}

// listPage reads one page of a list that is ordered by id. The token to continue with is nil on the last page.
func listPage[Row, Detail any](call *awsapi.Call, in *ra.ListRequest, k resourceKind,
	list func(arn.AccountID, arn.Region, int, string) ([]Row, string, error), show func(*Row) item[Detail]) ([]Detail, *string, error) {
	limit, err := pageLimit(in.PageSize)
	if err != nil {
		return nil, nil, err
	}
	after := ""
	if in.NextToken != nil {
		if after, err = openPageToken(call, k, *in.NextToken); err != nil {
			return nil, nil, err
		}
	}
	details := []Detail{}
	for size := 0; ; {
		rows, next, err := list(call.Account, call.Region, min(limit-len(details), readBatch), after)
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			it := show(&rows[i])
			details, after = append(details, it.detail), it.id
			size += it.size
			if size >= pageBytes && (next != "" || i < len(rows)-1) {
				return details, new(pageToken(call, k, after)), nil
			}
		}
		if next == "" || len(rows) == 0 {
			return details, nil, nil
		}
		if len(details) >= limit {
			return details, new(pageToken(call, k, after)), nil
		}
	}
}

// A page token is the id after which the list goes on, and a check that it was made for this list in this account and
// region. The check finds mistakes, not forgeries: whatever id a forger writes, the page holds only what the caller may
// list anyway.
const (
	tokenVersion = 1
	tokenBytes   = 1 + 16 + tokenCheck
	tokenCheck   = 8
)

func pageToken(call *awsapi.Call, k resourceKind, id string) string {
	raw := make([]byte, 0, tokenBytes)
	raw = append(raw, tokenVersion)
	uuid, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil || len(uuid) != 16 {
		uuid = make([]byte, 16) // cannot be: the ids of rows are UUIDs; a list that starts over is safe
	}
	raw = append(raw, uuid...)
	return base64.RawURLEncoding.EncodeToString(append(raw, tokenSum(call, k, raw)...))
}

func openPageToken(call *awsapi.Call, k resourceKind, token string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	// The decoder passes over line ends: the length tells a token with some from the one that was made.
	if err != nil || len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) || len(raw) != tokenBytes || raw[0] != tokenVersion ||
		subtle.ConstantTimeCompare(raw[17:], tokenSum(call, k, raw[:17])) != 1 {
		return "", ra.ValidationException("Invalid next token")
	}
	return arn.FormatUUID([16]byte(raw[1:17])), nil
}

func tokenSum(call *awsapi.Call, k resourceKind, body []byte) []byte {
	h := sha256.New()
	for _, part := range []string{"rolecall page", string(k), string(call.Account), string(call.Region)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(body)
	return h.Sum(nil)[:tokenCheck]
}
