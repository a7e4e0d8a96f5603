package pcaconnectorad

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/rolecall/rolecall/internal/awsapi"
)

// Bounds of a page, which may always hold less than was asked for.
const (
	defaultPage = 100
	pageBytes   = 2 << 20 // ends a page early once it holds this much of what callers stored
	readBatch   = 25      // rows read at once: a definition can be some ten kilobytes
)

// listPage reads one page of a list in key order. list reads rows after a key; show gives a row as the list shows it,
// with its key and how many bytes callers stored in it. scope names the list: a token of one is none of another.
func listPage[Row, Summary any](call *awsapi.Call, size *int32, token *string, scope string,
	list func(limit int, after string) ([]Row, string, error), show func(*Row) (Summary, string, int, error)) ([]Summary, *string, error) {
	limit, after := defaultPage, ""
	if size != nil {
		limit = int(*size)
	}
	if token != nil {
		var ok bool
		if after, ok = openPageToken(call, scope, *token); !ok {
			return nil, nil, invalid("Invalid next token")
		}
	}
	out := []Summary{}
	for bytes := 0; ; {
		rows, next, err := list(min(limit-len(out), readBatch), after)
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			summary, key, n, err := show(&rows[i])
			if err != nil {
				return nil, nil, err
			}
			out, after = append(out, summary), key
			bytes += n
			if bytes >= pageBytes && (next != "" || i < len(rows)-1) {
				return out, new(pageToken(call, scope, after)), nil
			}
		}
		if next == "" || len(rows) == 0 {
			return out, nil, nil
		}
		if len(out) >= limit {
			return out, new(pageToken(call, scope, after)), nil
		}
	}
}

// A page token is the key after which the list goes on, and a check that it was made for this list. The check finds
// mistakes, not forgeries: whatever key a forger writes, the page holds only what the caller may list anyway.
const (
	tokenVersion = 1
	tokenCheck   = 8
)

func pageToken(call *awsapi.Call, scope, key string) string {
	raw := append([]byte{tokenVersion}, tokenSum(call, scope, key)...)
	return base64.URLEncoding.EncodeToString(append(raw, key...))
}

func openPageToken(call *awsapi.Call, scope, token string) (string, bool) {
	raw, err := base64.URLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 1+tokenCheck || raw[0] != tokenVersion {
		return "", false
	}
	key := string(raw[1+tokenCheck:])
	return key, subtle.ConstantTimeCompare(raw[1:1+tokenCheck], tokenSum(call, scope, key)) == 1
}

func tokenSum(call *awsapi.Call, scope, key string) []byte {
	h := sha256.New()
	for _, part := range []string{"rolecall page", call.Op.Action(), string(call.Account), string(call.Region), scope, key} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return h.Sum(nil)[:tokenCheck]
}
