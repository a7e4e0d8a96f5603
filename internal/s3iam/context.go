package s3iam

import (
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/gate"
)

// fromGateway are the condition keys that the gateway observes at its own end. All others are this server's to set or
// unknown: a key that the gateway invented could open an Allow.
var fromGateway = map[string]string{
	"aws:referer":  iampolicy.KeyReferer,
	"s3:prefix":    "s3:prefix",
	"s3:delimiter": "s3:delimiter",
	"s3:max-keys":  "s3:max-keys",
	"s3:x-amz-acl": "s3:x-amz-acl",
	"s3:versionid": "s3:VersionId",
}

// caller reads what the gateway says about the connection of its client. The time is this server's own.
func (q *evaluateRequest) caller(now time.Time) *gate.Caller {
	c := &gate.Caller{Now: now, Region: q.Region}
	for key, values := range q.Condition {
		if len(values) != 1 {
			continue
		}
		switch strings.ToLower(key) {
		case "aws:sourceip":
			c.SourceIP = values[0]
		case "aws:useragent":
			c.UserAgent = values[0]
		case "aws:securetransport":
			c.TLS = values[0] == "true"
		}
	}
	return c
}

// setKeys adds the request's own condition keys.
func (h *Handler) setKeys(c *iampolicy.Context, q *evaluateRequest) {
	for key, values := range q.Condition {
		if name, ok := fromGateway[strings.ToLower(key)]; ok {
			c.Set(name, values...)
		}
	}
	c.Set(iampolicy.KeyResourceAccount, string(h.cfg.Account))
}

// listsBucket reports an action whose requests have a prefix. The gateway drops an empty one, as in "?prefix=", which
// asks for the same as none: both count as the empty prefix, so that a condition on "" holds for either.
func listsBucket(action string) bool {
	return strings.EqualFold(action, "s3:ListBucket") || strings.EqualFold(action, "s3:ListBucketVersions")
}
