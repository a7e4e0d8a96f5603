package rolesanywhere

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/sigv4"
)

// certificateError puts a finding about a certificate into AWS's words, with our reason.
func certificateError(err error) error {
	var ce *certchain.Error
	if !errors.As(err, &ce) {
		return err
	}
	return denied("%s", ce.Error())
}

// signatureError is always "Invalid signature" first: the service has no other text, not even for a wrong clock.
func signatureError(err error) error {
	var se *sigv4.Error
	if !errors.As(err, &se) {
		return err
	}
	if se.Reason == sigv4.NotSigned {
		return awsapi.Errorf("MissingAuthenticationToken", http.StatusForbidden, "Request is missing Authentication Token")
	}
	if se.Detail == "" {
		return denied("Invalid signature")
	}
	return denied("Invalid signature: %s", se.Detail)
}

// validationErrors reports every failed constraint at once.
func validationErrors(failed []string) error {
	noun := "errors"
	if len(failed) == 1 {
		noun = "error"
	}
	return awsapi.Validation("%d validation %s detected: %s", len(failed), noun, strings.Join(failed, "; "))
}

// parseQuery refuses what Go's lenient parser would drop.
func parseQuery(raw string) (url.Values, error) {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, awsapi.Validation("%s", fmt.Sprintf("the query string is malformed: %v", err))
	}
	return q, nil
}

// resourceID is the part of a Roles Anywhere ARN after the kind.
func resourceID(a arn.ARN) string {
	return a.Resource[strings.IndexByte(a.Resource, '/')+1:]
}
