package wire

// Protocol names one of AWS's wire protocols.
type Protocol string

// The protocols this package speaks.
const (
	RESTJSON  Protocol = "rest-json"
	AWSJSON10 Protocol = "json-1.0"
	AWSJSON11 Protocol = "json-1.1"
	Query     Protocol = "query"
)

// JSON reports whether bodies of the protocol are JSON.
func (p Protocol) JSON() bool { return p != Query }

// Kind is the type of a shape.
type Kind uint8

// The kinds of the API models.
const (
	Structure Kind = iota + 1
	List
	Map
	String
	Boolean
	Integer
	Long
	Float
	Double
	Blob
	Timestamp
)

// TimestampFormat says how a timestamp is written; empty is the protocol's default.
type TimestampFormat string

// The timestamp formats of the API models.
const (
	ISO8601       TimestampFormat = "iso8601"
	UnixTimestamp TimestampFormat = "unixTimestamp"
	RFC822        TimestampFormat = "rfc822"
)

// Location says where in a request a member travels; empty is the body.
type Location string

// The locations of the API models.
const (
	InBody        Location = ""
	InURI         Location = "uri"
	InQueryString Location = "querystring"
	InHeader      Location = "header"
)

// Bound is an optional limit: a length, a list size or a numeric value.
type Bound struct {
	Set bool
	N   int64
}

// At is the bound n.
func At(n int64) Bound { return Bound{Set: true, N: n} }

// Shape is one type of an API model: its wire form and its constraints. Shapes are generated, shared and never modified.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []Member // structures, in the model's order
	Union     bool     // structures: exactly one member is set
	Elem      *Shape   // element of a list, value of a map
	Key       *Shape   // key of a map
	ElemName  string   // element name of a list where it is not "member"
	Flattened bool     // lists and maps: no wrapping element
	Min, Max  Bound    // characters, bytes, elements or value, by kind
	Pattern   string   // the model's own text (Java syntax); it is part of AWS's messages
	Enum      []string // in the model's order
	Sensitive bool
	Format    TimestampFormat
}

// Member is a field of a structure. Field is the Go field that holds it.
type Member struct {
	Name      string
	Field     string
	Shape     *Shape
	Required  bool
	In        Location
	Sensitive bool   // beyond what its shape says
	WireName  string // name in the URI, query string, header or body where it differs from Name
}

// OnWire is the member's name as it is sent.
func (m *Member) OnWire() string {
	if m.WireName != "" {
		return m.WireName
	}
	return m.Name
}

// API describes a service as its model does.
type API struct {
	Service      string // signing name, as in the credential scope
	EventSource  string // as in audit events
	Protocol     Protocol
	Version      string // the query protocol's Version parameter
	Namespace    string // XML namespace of query responses
	TargetPrefix string // X-Amz-Target without the operation
	Known        []KnownOperation
}

// KnownOperation is an operation that the model has, whether or not it is implemented here.
type KnownOperation struct {
	Name         string
	Method, Path string
}

// Operation is one operation of a service.
type Operation struct {
	API           *API
	Service       string // signing name; the prefix of the IAM action
	EventSource   string
	Name          string
	Protocol      Protocol
	Method, Path  string // Path may hold {labels}
	Status        int    // of a success
	Input, Output *Shape // nil where there is none
	ResultWrapper string // query protocol
	Errors        []string
	ReadOnly      bool // changes nothing in the store
	RecordOutput  bool // responseElements belong in the audit event
}

// Action is the IAM action that guards the operation.
func (o *Operation) Action() string { return o.Service + ":" + o.Name }
