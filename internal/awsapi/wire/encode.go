package wire

import "reflect"

// ContentType is the type of the protocol's answers.
func ContentType(p Protocol) string {
	switch p {
	case Query:
		return "text/xml"
	case AWSJSON10:
		return "application/x-amz-json-1.0"
	case AWSJSON11:
		return "application/x-amz-json-1.1"
	}
	return "application/json"
}

// Encode appends the answer out, a pointer to the plan's output type, to b.
func (p *Plan) Encode(b []byte, out any, requestID string) []byte {
	v := reflect.ValueOf(out).Elem()
	if p.Op.Protocol != Query {
		return jsonWriter{}.structure(b, p.out, v)
	}
	op := p.Op
	b = append(append(append(b, '<'), op.Name...), `Response xmlns="`...)
	b = append(append(b, op.API.Namespace...), `">`...)
	if op.ResultWrapper != "" {
		b = append(append(append(b, '<'), op.ResultWrapper...), '>')
		b = appendXMLMembers(b, p.out, v)
		b = append(append(append(b, '<', '/'), op.ResultWrapper...), '>')
	} else {
		b = appendXMLMembers(b, p.out, v)
	}
	b = append(b, "<ResponseMetadata><RequestId>"...)
	b = AppendXMLText(b, requestID)
	b = append(b, "</RequestId></ResponseMetadata></"...)
	return append(append(b, op.Name...), "Response>"...)
}

// EncodeError appends an error in the protocol's form. Namespace is the service's, for the query protocol.
func EncodeError(b []byte, p Protocol, namespace string, status int, code, message, requestID string) []byte {
	switch p {
	case Query:
		side := "Sender"
		if status >= 500 {
			side = "Receiver"
		}
		b = append(append(append(b, `<ErrorResponse xmlns="`...), namespace...), `"><Error><Type>`...)
		b = append(append(b, side...), "</Type><Code>"...)
		b = append(AppendXMLText(b, code), "</Code><Message>"...)
		b = append(AppendXMLText(b, message), "</Message></Error><RequestId>"...)
		return append(AppendXMLText(b, requestID), "</RequestId></ErrorResponse>"...)
	case AWSJSON10, AWSJSON11:
		b = append(b, `{"__type":`...)
		b = append(AppendJSONString(b, code), `,"message":`...)
	default:
		b = append(b, `{"message":`...)
	}
	return append(AppendJSONString(b, message), '}')
}

// AppendErrorMember adds a member to what EncodeError has appended for a JSON protocol.
func AppendErrorMember(b []byte, name, text string) []byte {
	b = append(AppendJSONString(append(b[:len(b)-1], ','), name), ':')
	return append(AppendJSONString(b, text), '}')
}

// AuditInput appends the input as it belongs in an audit event: sensitive members hidden.
func (p *Plan) AuditInput(b []byte, in any) []byte {
	return jsonWriter{audit: true}.structure(b, p.in, reflect.ValueOf(in).Elem())
}

// AuditOutput does the same for the answer.
func (p *Plan) AuditOutput(b []byte, out any) []byte {
	return jsonWriter{audit: true}.structure(b, p.out, reflect.ValueOf(out).Elem())
}

// HasInput and HasOutput report whether there is anything to record.
func (p *Plan) HasInput() bool { return len(p.in.fields) > 0 }

// HasOutput reports whether the answer has members.
func (p *Plan) HasOutput() bool { return len(p.out.fields) > 0 }
