package soap

import (
	"bytes"
	"encoding/xml"
	"strconv"
)

// Writer builds one message. Names are the caller's constants; texts and attribute values are escaped.
type Writer struct{ buf bytes.Buffer }

// Begin opens the envelope and its body. relatesTo is the request's message id, "" for none.
func (w *Writer) Begin(action, relatesTo string) {
	w.buf.WriteString(`<s:Envelope xmlns:s="` + NSEnvelope + `" xmlns:a="` + NSAddressing + `"><s:Header><a:Action s:mustUnderstand="1">`)
	w.Text(action)
	w.buf.WriteString(`</a:Action>`)
	if relatesTo != "" {
		w.Leaf("a:RelatesTo", relatesTo)
	}
	w.buf.WriteString(`</s:Header><s:Body xmlns:xsi="` + NSInstance + `" xmlns:xsd="` + nsSchema + `">`)
}

// BeginRequest opens the envelope of a request to the address to, and its body. user is nil if the connection says who asks.
func (w *Writer) BeginRequest(action, to, messageID string, user *UsernameToken) {
	w.buf.WriteString(`<s:Envelope xmlns:s="` + NSEnvelope + `" xmlns:a="` + NSAddressing + `"><s:Header>`)
	w.Leaf("a:Action", action, "s:mustUnderstand", "1")
	w.Leaf("a:MessageID", messageID)
	w.Leaf("a:To", to, "s:mustUnderstand", "1")
	if user != nil {
		w.Open("o:Security", "s:mustUnderstand", "1", "xmlns:o", NSSecurity)
		w.Open("o:UsernameToken")
		w.Leaf("o:Username", user.Username)
		w.Leaf("o:Password", user.Password, "Type", passwordText)
		w.Close("o:UsernameToken")
		w.Close("o:Security")
	}
	w.buf.WriteString(`</s:Header><s:Body xmlns:xsi="` + NSInstance + `" xmlns:xsd="` + nsSchema + `">`)
}

// End closes body and envelope and returns the message.
func (w *Writer) End() []byte {
	w.buf.WriteString(`</s:Body></s:Envelope>`)
	return w.buf.Bytes()
}

// Open starts an element. Attributes come as name, value, name, value.
func (w *Writer) Open(name string, attrs ...string) {
	w.start(name, attrs)
	w.buf.WriteByte('>')
}

func (w *Writer) start(name string, attrs []string) {
	w.buf.WriteByte('<')
	w.buf.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		w.buf.WriteByte(' ')
		w.buf.WriteString(attrs[i])
		w.buf.WriteString(`="`)
		w.Text(attrs[i+1])
		w.buf.WriteByte('"')
	}
}

// Close ends an element.
func (w *Writer) Close(name string) {
	w.buf.WriteString("</")
	w.buf.WriteString(name)
	w.buf.WriteByte('>')
}

// Leaf writes an element that holds text.
func (w *Writer) Leaf(name, text string, attrs ...string) {
	w.Open(name, attrs...)
	w.Text(text)
	w.Close(name)
}

// Number writes an element that holds a number.
func (w *Writer) Number(name string, n int64) { w.Leaf(name, strconv.FormatInt(n, 10)) }

// Bool writes an element that holds true or false.
func (w *Writer) Bool(name string, v bool) { w.Leaf(name, strconv.FormatBool(v)) }

// Nil writes an element that is there and has no value.
func (w *Writer) Nil(name string, attrs ...string) {
	w.start(name, append(attrs, "xsi:nil", "true"))
	w.buf.WriteString(`/>`)
}

// Text writes escaped text.
func (w *Writer) Text(s string) {
	xml.EscapeText(&w.buf, []byte(s)) //nolint:errcheck // a buffer takes everything
}
