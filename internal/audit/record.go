package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// ErrTooLarge means that an event does not fit into one record.
var ErrTooLarge = errors.New("audit: event is larger than a record may be")

type fingerprint [sha256.Size]byte

const (
	flagReadOnly byte = 1 << iota
	flagCert          // the record names a certificate
	flagSubject
	flagSubjectCert // the certificate is also the subject's
	flagFailed
)

// certRef is the certificate that a record names, if any.
type certRef struct {
	der []byte
	sum fingerprint
}

// appendRecord appends the frame of one event. The certificate is not in it: the Log writes it once per segment.
func appendRecord(b []byte, e *Event, s *SubjectSeen) ([]byte, certRef, error) {
	var flags byte
	if e.ReadOnly {
		flags |= flagReadOnly
	}
	cert := recordCert(e, s)
	if cert.der != nil {
		flags |= flagCert
	}
	if s != nil {
		flags |= flagSubject
		if cert.der != nil && string(s.CertDER) == string(cert.der) {
			flags |= flagSubjectCert
		}
		if s.Failed {
			flags |= flagFailed
		}
	}
	start := len(b)
	b = openFrame(b, kindEvent)
	b = append(b, flags)
	b = appendText(b, e.EventID)
	b = appendText(b, string(e.Account))
	b = appendText(b, string(e.Region))
	b = binary.AppendVarint(b, e.EventTime.UnixMicro())
	b = appendText(b, e.EventName)
	b = appendText(b, e.EventSource)
	b = appendText(b, e.UserIdentity.username())
	b = appendText(b, e.UserIdentity.AccessKeyID)
	resources := e.recordedResources()
	b = binary.AppendUvarint(b, uint64(len(resources)))
	for i := range resources {
		b = appendText(b, resources[i].Type)
		b = appendText(b, resources[i].Name)
		b = appendText(b, resources[i].ARN)
	}
	if cert.der != nil {
		b = append(b, cert.sum[:]...)
	}
	if s != nil {
		b = appendSubject(b, s)
	}
	at := len(b) // where the hole in the body is, filled in below
	b = append(b, 0, 0, 0, 0)
	body := len(b)
	b, hole := e.appendBody(b)
	if hole > 0 {
		binary.LittleEndian.PutUint32(b[at:], uint32(hole-body))
	}
	if n := len(b) - start - frameHeader; n > MaxRecord {
		return b, cert, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, n, MaxRecord)
	}
	closeFrame(b, start)
	return b, cert, nil
}

// recordCert picks the certificate of a record: the request's, else the subject's.
func recordCert(e *Event, s *SubjectSeen) certRef {
	switch {
	case e.CreateSession.hasCert():
		ref := certRef{der: e.CreateSession.CertDER, sum: e.CreateSession.Fingerprint}
		if ref.sum == (fingerprint{}) {
			ref.sum = sha256.Sum256(ref.der)
		}
		return ref
	case s != nil && len(s.CertDER) > 0 && len(s.CertDER) <= maxCert:
		return certRef{der: s.CertDER, sum: sha256.Sum256(s.CertDER)}
	}
	return certRef{}
}

func appendSubject(b []byte, s *SubjectSeen) []byte {
	b = appendText(b, string(s.Account))
	b = appendText(b, string(s.Region))
	b = appendText(b, s.SubjectID)
	b = appendText(b, s.DN)
	b = binary.AppendVarint(b, s.SeenAt.UnixMicro())
	b = appendText(b, s.Serial)
	return appendText(b, s.Issuer)
}

func appendText(b []byte, s string) []byte {
	s = column(s)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendCert appends the frame that defines a certificate.
func appendCert(b []byte, sum fingerprint, der []byte) []byte {
	start := len(b)
	b = openFrame(b, kindCert)
	b = append(b, sum[:]...)
	b = append(b, der...)
	closeFrame(b, start)
	return b
}

// record is one decoded event.
type record struct {
	row     store.Event
	subject *SubjectSeen

	cert        fingerprint
	hole        int
	hasCert     bool
	subjectCert bool
}

// decodeRecord reads the payload of an event frame, without its kind. Text is copied, the body is not.
func decodeRecord(p []byte) (*record, error) {
	d := decoder{rest: p}
	var r record
	flags := d.byte()
	r.row.ReadOnly = flags&flagReadOnly != 0
	r.row.ID = d.text()
	r.row.Account = arn.AccountID(d.text())
	r.row.Region = arn.Region(d.text())
	r.row.Time = d.time()
	r.row.Name = d.text()
	r.row.Source = d.text()
	r.row.Username = d.text()
	r.row.AccessKeyID = d.text()
	n := d.uvarint(maxResources)
	for range n {
		r.row.Resources = append(r.row.Resources, store.EventResource{Type: d.text(), Name: d.text(), ARN: d.text()})
	}
	if r.hasCert = flags&flagCert != 0; r.hasCert {
		copy(r.cert[:], d.bytes(len(r.cert)))
	}
	if flags&flagSubject != 0 {
		r.subject = &SubjectSeen{
			Account: arn.AccountID(d.text()), Region: arn.Region(d.text()), SubjectID: d.text(), DN: d.text(),
			SeenAt: d.time(), Serial: d.text(), Issuer: d.text(), Failed: flags&flagFailed != 0,
		}
		r.subjectCert = flags&flagSubjectCert != 0
	}
	hole := d.bytes(4)
	if d.failed {
		return nil, fmt.Errorf("%w: event does not decode", errFrame)
	}
	r.hole = int(binary.LittleEndian.Uint32(hole))
	r.row.Body = d.rest
	if r.row.ID == "" || len(d.rest) == 0 || r.hole > len(d.rest) || (r.hole > 0 && !r.hasCert) || (r.subjectCert && !r.hasCert) {
		return nil, fmt.Errorf("%w: event is inconsistent", errFrame)
	}
	return &r, nil
}

// decoder reads fields from the front of rest; after the first failure everything it returns is zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) bytes(n int) []byte {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint(limit uint64) int {
	v, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 || v > limit {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) time() time.Time {
	v, n := binary.Varint(d.rest)
	if d.failed || n <= 0 {
		d.failed = true
		return time.Time{}
	}
	d.rest = d.rest[n:]
	return fromMicros(v)
}

func (d *decoder) text() string { return string(d.bytes(d.uvarint(4 * maxIdentifier))) }
