package audit

import (
	"encoding/base64"
	"slices"
)

// AppendJSON appends the event as one CloudTrail record and returns the extended buffer. It uses no reflection.
func (e *Event) AppendJSON(b []byte) []byte {
	e.normalise()
	if b == nil { // most of what is not parameters fits into this
		b = make([]byte, 0, 1536+len(e.RequestParameters)+len(e.ResponseElements))
	}
	b, hole := e.appendBody(b)
	if hole > 0 {
		b = fillHole(b, hole, e.CreateSession.CertDER)
	}
	return b
}

// appendBody appends the record with the certificate left out; hole is where it belongs in the result (0: nowhere).
func (e *Event) appendBody(b []byte) (_ []byte, hole int) {
	var o object
	o.open(b)
	o.text("eventVersion", eventVersion, maxText)
	o.name("userIdentity")
	o.buf = e.UserIdentity.appendJSON(o.buf)
	o.time("eventTime", e.EventTime)
	o.text("eventSource", e.EventSource, maxText)
	o.text("eventName", e.EventName, maxText)
	o.text("awsRegion", string(e.Region), maxText)
	o.text("sourceIPAddress", e.SourceIP, maxText)
	o.text("userAgent", e.UserAgent, maxText)
	o.text("errorCode", e.ErrorCode, maxText)
	o.text("errorMessage", e.ErrorMessage, maxText)

	o.name("requestParameters")
	if e.CreateSession != nil {
		o.buf, hole = e.CreateSession.appendJSON(o.buf)
	} else {
		o.buf = appendRaw(o.buf, e.RequestParameters, maxParams)
	}
	o.name("responseElements")
	if e.Session != nil {
		o.buf = e.Session.appendJSON(o.buf)
	} else {
		o.buf = appendRaw(o.buf, e.ResponseElements, maxParams)
	}
	if len(e.AdditionalEventData) > 0 {
		o.name("additionalEventData")
		o.buf = appendMap(o.buf, e.AdditionalEventData)
	}
	o.text("requestID", e.RequestID, maxText)
	o.text("eventID", e.EventID, maxText)
	o.boolean("readOnly", e.ReadOnly)
	if len(e.Resources) > 0 {
		o.name("resources")
		o.buf = e.appendResources(o.buf)
	}
	kind := e.EventType
	if kind == "" {
		kind = APICall
	}
	o.text("eventType", string(kind), maxText)
	o.boolean("managementEvent", true)
	o.text("recipientAccountId", string(e.Account), maxText)
	o.text("eventCategory", "Management", maxText)
	if e.TLS != nil {
		o.name("tlsDetails")
		o.buf = e.TLS.appendJSON(o.buf)
	}
	return o.close(), hole
}

func (e *Event) appendResources(b []byte) []byte {
	b = append(b, '[')
	for i := range e.recordedResources() {
		r := &e.Resources[i]
		if i > 0 {
			b = append(b, ',')
		}
		var o object
		o.open(b)
		o.text("accountId", string(e.Account), maxText)
		o.text("type", r.Type, maxText)
		o.text("ARN", r.ARN, maxIdentifier)
		b = o.close()
	}
	return append(b, ']')
}

func (e *Event) recordedResources() []Resource {
	return e.Resources[:min(len(e.Resources), maxResources)]
}

func (t *TLSDetails) appendJSON(b []byte) []byte {
	var o object
	o.open(b)
	o.text("tlsVersion", t.Version, maxText)
	o.text("cipherSuite", t.CipherSuite, maxText)
	o.text("clientProvidedHostHeader", t.ClientProvidedHostHeader, maxText)
	return o.close()
}

// appendMap appends m with its keys in order. Entries beyond the limit of additionalEventData are counted, not kept.
func appendMap(b []byte, m map[string]string) []byte {
	var stack [16]string
	keys := stack[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var o object
	o.open(b)
	room, omitted := maxAdditional, 0
	for _, k := range keys {
		v := m[k]
		if len(k)+len(v) > room {
			omitted++
			k = clip(k, min(maxText, room))
			v = clip(v, room-len(k))
			if v == "" {
				continue
			}
		}
		room -= len(k) + len(v)
		o.key(k)
		o.buf = appendString(o.buf, v)
	}
	if omitted > 0 {
		o.integer("entriesCutShort", omitted)
	}
	return o.close()
}

// fillHole inserts the certificate's base64 text at offset hole of b.
func fillHole(b []byte, hole int, der []byte) []byte {
	n := base64.StdEncoding.EncodedLen(len(der))
	b = slices.Grow(b, n)[:len(b)+n]
	copy(b[hole+n:], b[hole:len(b)-n])
	base64.StdEncoding.Encode(b[hole:hole+n], der)
	return b
}
