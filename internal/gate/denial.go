package gate

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
)

// denialLabel is the key ring label of encoded authorization messages; the associated data is the account.
const denialLabel = "authorization-message"

// maxDenial bounds the text of an encoded message, in bytes: it travels in an error message.
const maxDenial = 4096

// errDenial is the one answer to a message that does not open.
var errDenial = errors.New("not an encoded authorization message of this account")

type items[T any] struct {
	Items []T `json:"items"`
}

type denialValue struct {
	Value string `json:"value"`
}

type denialCondition struct {
	Key    string             `json:"key"`
	Values items[denialValue] `json:"values"`
}

type denialStatement struct {
	StatementID string `json:"statementId"`
	Effect      string `json:"effect"`
	Policy      string `json:"sourcePolicyId,omitempty"`
	PolicyType  string `json:"sourcePolicyType,omitempty"`
}

// denial is the decoded form, as AWS prints it.
type denial struct {
	Allowed           bool                   `json:"allowed"`
	ExplicitDeny      bool                   `json:"explicitDeny"`
	MatchedStatements items[denialStatement] `json:"matchedStatements"`
	Failures          items[struct{}]        `json:"failures"`
	Context           struct {
		Principal struct {
			ID  string `json:"id"`
			ARN string `json:"arn"`
		} `json:"principal"`
		Action     string                 `json:"action"`
		Resource   string                 `json:"resource"`
		Conditions items[denialCondition] `json:"conditions"`
	} `json:"context"`
	Explanation string `json:"explanation"`
}

// newDenial says what was asked for, by whom, in which context.
func newDenial(p *awsapi.Principal, action, resource string, c *iampolicy.Context) *denial {
	m := &denial{}
	m.MatchedStatements.Items = []denialStatement{}
	m.Failures.Items = []struct{}{}
	m.Context.Principal.ID, m.Context.Principal.ARN = p.UserID, p.ARN
	m.Context.Action, m.Context.Resource = action, resource
	m.Context.Conditions.Items = []denialCondition{}
	size := 0
	c.Each(func(key string, _ bool, values []string) {
		cond := denialCondition{Key: key}
		for _, v := range values {
			cond.Values.Items = append(cond.Values.Items, denialValue{v})
			size += len(v) + 16
		}
		if size += len(key) + 40; size <= maxDenial {
			m.Context.Conditions.Items = append(m.Context.Conditions.Items, cond)
		}
	})
	return m
}

// decided adds what the policies said.
func (m *denial) decided(d iampolicy.Decision) {
	m.ExplicitDeny, m.Explanation = d.Explicit, d.Explain()
	if d.Policy != nil && d.Explicit {
		m.MatchedStatements.Items = append(m.MatchedStatements.Items, denialStatement{StatementID: d.Sid, Effect: "DENY", Policy: d.Policy.Name(), PolicyType: string(d.By)})
	}
}

// encodeDenial seals why a request was denied. Only callers who may call DecodeAuthorizationMessage read it again, so
// it may name policies and statements.
func (g *Gate) encodeDenial(account arn.AccountID, m *denial) string {
	text, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(g.ring.Seal(denialLabel, []byte(account), text))
}

// DecodeDenial opens an encoded authorization message of the account, as JSON.
func (g *Gate) DecodeDenial(account arn.AccountID, encoded string) (string, error) {
	blob, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", errDenial
	}
	text, err := g.ring.Open(denialLabel, []byte(account), blob)
	if err != nil {
		return "", errDenial
	}
	return string(text), nil
}
