package credclient

import (
	"encoding/json"
	"net/http"
	"strings"
)

// answer is what is read of a CreateSession response. Other members are ignored, as new ones may come.
type answer struct {
	CredentialSet []struct {
		AssumedRoleUser struct {
			ARN string `json:"arn"`
		} `json:"assumedRoleUser"`
		Credentials struct {
			AccessKeyID     string `json:"accessKeyId"`
			SecretAccessKey string `json:"secretAccessKey"`
			SessionToken    string `json:"sessionToken"`
			Expiration      string `json:"expiration"`
		} `json:"credentials"`
	} `json:"credentialSet"`
}

// decodeCredentials takes the first set, and nothing that is incomplete.
func decodeCredentials(body []byte) (*Credentials, error) {
	const advice = "check that the endpoint is one of Roles Anywhere"
	var a answer
	if err := json.Unmarshal(body, &a); err != nil { // its text is left out: it can quote a piece of the body
		return nil, problemf(advice, "the server's answer is not the JSON of CreateSession")
	}
	if len(a.CredentialSet) == 0 {
		return nil, problemf(advice, "the server's answer holds no credentials")
	}
	c := a.CredentialSet[0].Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration == "" {
		return nil, problemf(advice, "the credentials in the server's answer are incomplete")
	}
	user := a.CredentialSet[0].AssumedRoleUser.ARN // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	session := ""
	if i := strings.LastIndexByte(user, '/'); i > 0 {
		session = user[i+1:]
	}
	return &Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expiration: c.Expiration, session: session}, nil
}

const maxText = 2048 // of a server's code or message, bytes

// unknownError is the code of an answer that has none.
const unknownError = "UnknownError"

// decodeError reads an error of the REST-JSON protocol. What is not one, a proxy's page for example, is an UnknownError.
func decodeError(resp *http.Response, body []byte) *ServiceError {
	var b struct {
		Type     string `json:"__type"`
		Code     any    `json:"code"` // a string where it is the error's; some proxies send a number
		Message  string `json:"message"`
		Message2 string `json:"Message"`
	}
	_ = json.Unmarshal(body, &b) // what could be read is used
	e := &ServiceError{Status: resp.StatusCode, RequestID: clip(resp.Header.Get("X-Amzn-Requestid"), 128)}
	code, _ := b.Code.(string)
	for _, c := range []string{resp.Header.Get("X-Amzn-Errortype"), b.Type, code, unknownError} {
		if e.Code = clip(sanitise(c), 128); e.Code != "" {
			break
		}
	}
	e.Message = clip(b.Message, maxText)
	if e.Message == "" {
		e.Message = clip(b.Message2, maxText)
	}
	return e
}

// sanitise takes the name out of forms like "aws.protocol#Name:http://…" (REST-JSON, operation error serialization).
func sanitise(code string) string {
	code, _, _ = strings.Cut(code, ":")
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	return strings.TrimSpace(code)
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
