package cloudtrail

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	model "github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
	"github.com/rolecall/rolecall/internal/store"
)

// LookupEvents lists the events of the caller's account and region, the newest first.
func (s *Service) LookupEvents(_ context.Context, call *awsapi.Call, in *model.LookupEventsInput) (*model.LookupEventsOutput, error) {
	out := &model.LookupEventsOutput{Events: []model.Event{}}
	if in.EventCategory != nil {
		return out, nil // the one category there is to ask for is insights, and there are none
	}
	f, err := filterOf(call, in)
	if err != nil {
		return nil, err
	}
	after := ""
	if in.NextToken != nil {
		if after, err = openToken(f, *in.NextToken); err != nil {
			return nil, err
		}
	}
	limit := store.MaxEventPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults) // 1 to 50: the model's own bounds
	}
	rows, next, err := call.Tx.LookupEvents(f, limit, after)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		out.Events = append(out.Events, eventOf(&rows[i]))
	}
	if next != "" {
		token, err := makeToken(f, next)
		if err != nil {
			return nil, err
		}
		out.NextToken = &token
	}
	return out, nil
}

// filterOf is the query in the store's terms. Account and region are the caller's, whatever it asks for.
func filterOf(call *awsapi.Call, in *model.LookupEventsInput) (*store.EventFilter, error) {
	f := &store.EventFilter{Account: call.Account, Region: call.Region}
	if in.StartTime != nil {
		f.Start = *in.StartTime
	}
	if in.EndTime != nil {
		// Event times have microseconds here and whole seconds in CloudTrail: whoever copies an event's second
		// means all of it.
		f.End = in.EndTime.Truncate(time.Second).Add(time.Second - time.Microsecond)
	}
	if in.StartTime != nil && in.EndTime != nil && in.StartTime.After(*in.EndTime) {
		return nil, model.InvalidTimeRangeException("The start time is after the end time: %s and %s",
			in.StartTime.UTC().Format(time.RFC3339), in.EndTime.UTC().Format(time.RFC3339))
	}
	switch len(in.LookupAttributes) {
	case 0:
		return f, nil
	case 1:
		return f, setAttribute(f, &in.LookupAttributes[0])
	}
	return nil, model.InvalidLookupAttributesException("Only one lookup attribute is allowed, the request has %d", len(in.LookupAttributes))
}

func setAttribute(f *store.EventFilter, a *model.LookupAttribute) error {
	value := *a.AttributeValue // required, 1 to 2000 characters: the model's own bounds
	switch *a.AttributeKey {
	case model.LookupAttributeKeyEventId:
		f.ID = value
	case model.LookupAttributeKeyEventName:
		f.Name = value
	case model.LookupAttributeKeyReadOnly:
		switch strings.ToLower(value) {
		case "true", "false":
			f.ReadOnly = new(strings.EqualFold(value, "true"))
		default:
			return model.InvalidLookupAttributesException("The value of the lookup attribute ReadOnly is true or false")
		}
	case model.LookupAttributeKeyUsername:
		f.Username = value
	case model.LookupAttributeKeyResourceType:
		f.ResourceType = value
	case model.LookupAttributeKeyResourceName:
		f.ResourceName = value
	case model.LookupAttributeKeyEventSource:
		f.Source = value
	case model.LookupAttributeKeyAccessKeyId:
		f.AccessKeyID = value
	default: // the model's enum has been checked: a key added there must not widen the answer here
		return model.InvalidLookupAttributesException("The lookup attribute key is not supported")
	}
	return nil
}

// eventOf is one event as the API shows it. What the event does not have is left out, as AWS does.
func eventOf(e *store.Event) model.Event {
	out := model.Event{
		EventId: &e.ID, EventName: &e.Name, EventTime: &e.Time, EventSource: &e.Source,
		ReadOnly: new(strconv.FormatBool(e.ReadOnly)), CloudTrailEvent: new(string(e.Body)),
		Resources: make([]model.Resource, len(e.Resources)),
	}
	if e.Username != "" {
		out.Username = &e.Username
	}
	if e.AccessKeyID != "" {
		out.AccessKeyId = &e.AccessKeyID
	}
	for i := range e.Resources {
		r := &e.Resources[i]
		out.Resources[i] = model.Resource{ResourceType: &r.Type, ResourceName: new(cmp.Or(r.Name, r.ARN))}
	}
	return out
}
