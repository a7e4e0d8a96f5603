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
	at := len(b) // the length of the columns, and where the hole in the body is, both filled in below
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
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
	body := len(b)
	binary.LittleEndian.PutUint32(b[at:], uint32(body-at-columnsStart))
	b, hole := e.appendBody(b)
	if hole > 0 {
		binary.LittleEndian.PutUint32(b[at+4:], uint32(hole-body))
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

// columnsStart is the size of the two lengths before the columns.
const columnsStart = 8

// record is one decoded event.
type record struct {
	row     store.Event
	subject SubjectSeen

	cert        fingerprint
	hole        int
	hasCert     bool
	hasSubject  bool
	subjectCert bool
}

// decode reads the payload of an event frame, without its kind, over what r held. The columns become one string that all
// texts are parts of; the body is not copied.
func (r *record) decode(p []byte) error {
	*r = record{}
	if len(p) < 1+columnsStart {
		return fmt.Errorf("%w: event is cut short", errFrame)
	}
	flags := p[0]
	length, hole := binary.LittleEndian.Uint32(p[1:]), binary.LittleEndian.Uint32(p[5:])
	p = p[1+columnsStart:]
	if uint64(length) > uint64(len(p)) {
		return fmt.Errorf("%w: event is cut short", errFrame)
	}
	d := decoder{rest: string(p[:length])}
	r.row.ReadOnly = flags&flagReadOnly != 0
	r.row.ID = d.text()
	r.row.Account = arn.AccountID(d.text())
	r.row.Region = arn.Region(d.text())
	r.row.Time = d.time()
	r.row.Name = d.text()
	r.row.Source = d.text()
	r.row.Username = d.text()
	r.row.AccessKeyID = d.text()
	if n := d.uvarint(maxResources); n > 0 {
		r.row.Resources = make([]store.EventResource, n)
		for i := range r.row.Resources {
			r.row.Resources[i] = store.EventResource{Type: d.text(), Name: d.text(), ARN: d.text()}
		}
	}
	if r.hasCert = flags&flagCert != 0; r.hasCert {
		copy(r.cert[:], d.take(len(r.cert)))
	}
	if r.hasSubject = flags&flagSubject != 0; r.hasSubject {
		r.subject = SubjectSeen{
			Account: arn.AccountID(d.text()), Region: arn.Region(d.text()), SubjectID: d.text(), DN: d.text(),
			SeenAt: d.time(), Serial: d.text(), Issuer: d.text(), Failed: flags&flagFailed != 0,
		}
		r.subjectCert = flags&flagSubjectCert != 0
	}
	body := p[length:]
	if d.failed || len(d.rest) != 0 {
		return fmt.Errorf("%w: event does not decode", errFrame)
	}
	if r.row.ID == "" || len(body) == 0 || uint64(hole) > uint64(len(body)) || (hole > 0 && !r.hasCert) || (r.subjectCert && !r.hasCert) {
		return fmt.Errorf("%w: event is inconsistent", errFrame)
	}
	r.hole = int(hole)
	r.row.Body = body
	return nil
}

// decoder reads fields from the front of rest; after the first failure everything it returns is zero.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) take(n int) string {
	if d.failed || n > len(d.rest) {
		d.failed = true
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

// number reads a uvarint (encoding/binary reads them from bytes only).
func (d *decoder) number() (v uint64) {
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64 && !d.failed; i++ {
		c := d.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.failed = true
	return 0
}

func (d *decoder) uvarint(limit uint64) int {
	v := d.number()
	if v > limit {
		d.failed = true
		return 0
	}
	return int(v)
}

func (d *decoder) time() time.Time {
	v := d.number()
	if d.failed {
		return time.Time{}
	}
	return fromMicros(int64(v>>1) ^ -int64(v&1)) // as binary.AppendVarint writes it
}

func (d *decoder) text() string { return d.take(d.uvarint(4 * maxIdentifier)) }
