package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Element is one element of a message that was read.
type Element struct {
	Name     xml.Name
	Attrs    []xml.Attr // without namespace declarations
	Text     string     // the character data directly inside, joined
	Children []*Element
}

// Child is the only child with the name, nil if there is none; two of them are an error.
func (e *Element) Child(space, local string) (*Element, error) {
	var found *Element
	for _, c := range e.Children {
		if c.Name.Space != space || c.Name.Local != local {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("soap: element %s is there twice", local)
		}
		found = c
	}
	return found, nil
}

// ChildText is the trimmed text of the only child with the name; "" if there is none or it is nil.
func (e *Element) ChildText(space, local string) (string, error) {
	c, err := e.Child(space, local)
	if err != nil || c == nil || c.Nil() {
		return "", err
	}
	if len(c.Children) > 0 {
		return "", fmt.Errorf("soap: element %s must hold text only", local)
	}
	return strings.TrimSpace(c.Text), nil
}

// Attr is the value of an attribute, "" if it is not there.
func (e *Element) Attr(space, local string) string {
	for _, a := range e.Attrs {
		if a.Name.Space == space && a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// Nil reports xsi:nil.
func (e *Element) Nil() bool {
	v := e.Attr(NSInstance, "nil")
	return v == "true" || v == "1"
}

// limits bound one document.
type limits struct{ bytes, elements int }

// parser builds the tree within the limits.
type parser struct {
	max   limits
	dec   *xml.Decoder
	open  []*Element
	root  *Element
	count int
}

// parse reads one document.
func parse(data []byte, max limits) (*Element, error) {
	if len(data) > max.bytes {
		return nil, fmt.Errorf("soap: the message is larger than %d bytes", max.bytes)
	}
	p := &parser{max: max, dec: xml.NewDecoder(bytes.NewReader(data))} // strict, no entities, UTF-8 only
	for first := true; ; first = false {
		token, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.New("soap: the message is not well-formed XML")
		}
		if err := p.take(token, first); err != nil {
			return nil, err
		}
	}
	if p.root == nil || len(p.open) > 0 {
		return nil, errors.New("soap: the message is empty or cut short")
	}
	return p.root, nil
}

func (p *parser) take(token xml.Token, first bool) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.EndElement:
		p.open = p.open[:len(p.open)-1]
	case xml.CharData:
		if len(p.open) > 0 {
			p.open[len(p.open)-1].Text += string(t)
		} else if len(bytes.TrimSpace(bytes.TrimPrefix(t, []byte("\ufeff")))) > 0 {
			return errors.New("soap: text outside of the envelope")
		}
	case xml.ProcInst:
		if t.Target != "xml" || !first {
			return errors.New("soap: processing instructions are not accepted")
		}
	default: // SOAP 1.2 Part 1 §5: no document type; comments have no use here
		return errors.New("soap: document types and comments are not accepted")
	}
	return nil
}

func (p *parser) start(t xml.StartElement) error {
	if p.count++; p.count > p.max.elements || len(p.open) >= maxDepth || len(t.Attr) > maxAttributes {
		return errors.New("soap: the message is too deep or has too many elements or attributes")
	}
	e := &Element{Name: t.Name}
	if undeclared(t.Name) {
		return errors.New("soap: an element has an undeclared namespace prefix")
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if undeclared(a.Name) {
			return errors.New("soap: an attribute has an undeclared namespace prefix")
		}
		for _, have := range e.Attrs {
			if have.Name == a.Name {
				return errors.New("soap: an attribute is there twice")
			}
		}
		e.Attrs = append(e.Attrs, a)
	}
	switch {
	case len(p.open) > 0:
		above := p.open[len(p.open)-1]
		above.Children = append(above.Children, e)
	case p.root != nil:
		return errors.New("soap: more than one envelope")
	default:
		p.root = e
	}
	p.open = append(p.open, e)
	return nil
}

// undeclared tells a prefix without a declaration: the decoder leaves it in the place of the namespace, and no prefix
// holds a colon, which every namespace here does.
func undeclared(n xml.Name) bool {
	return n.Space != "" && n.Space != "xml" && !strings.Contains(n.Space, ":")
}
