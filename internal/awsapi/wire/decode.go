package wire

import (
	"net/http"
	"net/url"
	"reflect"
)

// Request is what a protocol reads. Only the parts of the operation's protocol are looked at.
type Request struct {
	Path     Path        // REST
	RawQuery string      // REST
	Header   http.Header // REST
	Form     *Form       // query
	Body     []byte      // JSON and REST
}

// Decode reads r into in, a pointer to the plan's input type. The error is a *[Fault].
func (p *Plan) Decode(r *Request, in any) error {
	dst := reflect.ValueOf(in).Elem()
	var f *Fault
	switch p.Op.Protocol {
	case Query:
		f = decodeForm(p.in, r.Form, dst)
	case AWSJSON10, AWSJSON11:
		f = decodeJSON(p.in, r.Body, dst)
	case RESTJSON:
		f = p.decodeREST(r, dst)
	default:
		f = faultf(SerializationException, "Unknown protocol")
	}
	if f != nil {
		return f
	}
	return nil
}

// decodeREST reads labels, query string, headers and body. A body that the operation has no use for is ignored, as AWS does.
func (p *Plan) decodeREST(r *Request, dst reflect.Value) *Fault {
	if p.hasBody {
		if f := decodeJSON(p.in, r.Body, dst); f != nil {
			return f
		}
	}
	var query url.Values
	for i := range p.in.fields {
		fd := &p.in.fields[i]
		var f *Fault
		switch fd.member.In {
		case InURI:
			v, ok := p.route.value(r.Path, fd.name)
			if ok {
				f = scalarText(fd.node, v, fd.member.Name, fd.slot(dst), SerializationException)
			}
		case InQueryString:
			if query == nil {
				var err error
				if query, err = url.ParseQuery(r.RawQuery); err != nil || len(query) > maxPairs {
					return faultf(SerializationException, "The query string is malformed")
				}
			}
			f = queryMember(fd, query[fd.name], dst)
		case InHeader:
			f = queryMember(fd, r.Header.Values(fd.name), dst)
		}
		if f != nil {
			return f
		}
	}
	return nil
}

// queryMember reads a member of the query string or a header; a list is a repeated name.
func queryMember(fd *field, values []string, dst reflect.Value) *Fault {
	if len(values) == 0 {
		return nil
	}
	if fd.node.shape.Kind != List {
		if len(values) > 1 {
			return faultf(SerializationException, "The parameter %s appears more than once", fd.name)
		}
		return scalarText(fd.node, values[0], fd.member.Name, fd.slot(dst), SerializationException)
	}
	if len(values) > maxPairs {
		return faultf(SerializationException, "The request has too many parameters")
	}
	out := reflect.MakeSlice(fd.node.typ, len(values), len(values))
	for i, v := range values {
		if f := scalarText(fd.node.elem, v, fd.member.Name, out.Index(i), SerializationException); f != nil {
			return f
		}
	}
	fd.slot(dst).Set(out)
	return nil
}
