package audit

import (
	"encoding/json"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// EventType is CloudTrail's eventType. The zero value means AwsApiCall.
type EventType string

const (
	APICall      EventType = "AwsApiCall"
	ServiceEvent EventType = "AwsServiceEvent"
)

// eventVersion is the version of the CloudTrail record format that Event follows.
const eventVersion = "1.11"

// Limits of an event's fields, in bytes before escaping. They are CloudTrail's own where it names one.
const (
	maxText       = 1 << 10   // userAgent, errorCode, errorMessage
	maxIdentifier = 2 << 10   // ARNs, names
	maxParams     = 100 << 10 // requestParameters, responseElements
	maxAdditional = 28 << 10  // additionalEventData
	maxResources  = 32
	maxCert       = 16 << 10 // the largest certificate that a request may carry
)

// Event is one CloudTrail-shaped record. There is deliberately no field that could hold a secret key or a session token.
// Text fields may hold anything a caller sent; they are cut to their limits and escaped.
type Event struct {
	EventTime    time.Time // written with microseconds; the zero value means the time of Append
	EventID      string    // unique; Append, Row and AppendJSON set one that tells EventTime when it is empty
	RequestID    string
	EventType    EventType
	EventSource  string // such as rolesanywhere.amazonaws.com
	EventName    string // the operation
	Account      arn.AccountID
	Region       arn.Region
	UserIdentity UserIdentity
	SourceIP     string
	UserAgent    string
	ReadOnly     bool
	ErrorCode    string // empty for success
	ErrorMessage string

	// RequestParameters and ResponseElements are JSON that the caller has already masked. Values above 100 KiB are replaced
	// by a note of their size.
	RequestParameters json.RawMessage
	ResponseElements  json.RawMessage

	// CreateSession and Session take the place of the two fields above for CreateSession, without building JSON beforehand.
	CreateSession *CreateSessionParams
	Session       *CreateSessionResult

	Resources           []Resource // at most 32 are recorded
	AdditionalEventData map[string]string
	TLS                 *TLSDetails
}

// Resource is something that the event touched.
type Resource struct {
	Type string // such as AWS::RolesAnywhere::TrustAnchor
	Name string // what LookupEvents matches as ResourceName
	ARN  string
}

// TLSDetails describes the connection of the request.
type TLSDetails struct {
	Version                  string // such as TLSv1.3
	CipherSuite              string
	ClientProvidedHostHeader string
}

// SubjectSeen says that a certificate's subject used it. The Shipper folds it into the subject's recent credentials.
type SubjectSeen struct {
	Account   arn.AccountID
	Region    arn.Region
	SubjectID string
	DN        string
	SeenAt    time.Time
	Serial    string
	Issuer    string
	CertDER   []byte // at most 16 KiB
	Failed    bool
}

// normalise sets what the caller left empty.
func (e *Event) normalise() {
	if e.EventTime.IsZero() {
		e.EventTime = time.Now()
	}
	e.EventTime = e.EventTime.UTC().Truncate(time.Microsecond)
	if e.EventID == "" {
		e.EventID = store.NewEventID(e.EventTime)
	}
}
