// Package cloudtrail answers LookupEvents from the audit events in the store. It records nothing (package audit does),
// and has no trails, event data stores or insights.
//
// An event is found in the account it concerns and in the region of the request's credential scope, about half a second
// after the request. IAM and STS are no exception: AWS shows their events in us-east-1 because their clients sign for
// it, while a client that is pointed at this server signs for its own region and its user looks there. Events of
// CreateSession are in the trust anchor's region. How long events are kept is the server's configuration.
//
// Start with [Service.Bindings] and [Service.LookupEvents].
package cloudtrail

import (
	"context"

	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
)

// Config is empty: everything the service reads comes with the call. It keeps the services alike.
type Config struct{}

// Service implements the operations. It is safe for concurrent use.
type Service struct{}

// New makes the service.
func New(Config) *Service { return &Service{} }

// Bindings are the operations for the router.
func (s *Service) Bindings() []awsapi.Binding {
	return []awsapi.Binding{awsapi.Bind(model.OpLookupEvents, needLookup, s.LookupEvents)}
}

// needLookup: the action has no resource level, so policies name "*".
func needLookup(context.Context, *awsapi.Call, *model.LookupEventsInput) ([]awsapi.Need, error) {
	return []awsapi.Need{{}}, nil
}
