package soap

import (
	"errors"
	"fmt"
	"strings"
)

// Message is a request or an answer that was read.
type Message struct {
	Action    string
	MessageID string         // "" if the client sent none
	User      *UsernameToken // nil if the client sent none
	Body      *Element       // the one element inside the body
}

// UsernameToken is a user name with its password in clear text (WSS UsernameToken Profile 1.1 §3.1). It travels inside TLS.
type UsernameToken struct{ Username, Password string }

// ErrNotUnderstood means a header that must be understood and is not (SOAP 1.2 Part 1 §5.4.8).
var ErrNotUnderstood = errors.New("soap: a header that must be understood is not known")

// passwordText is the type of a password in clear text.
const passwordText = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"

// Read reads a request. Errors say nothing of the message's content.
func Read(data []byte) (*Message, error) { return read(data, limits{MaxBytes, maxElements}) }

// ReadAnswer is Read for a server's answer, which may be larger: it describes every template.
func ReadAnswer(data []byte) (*Message, error) {
	return read(data, limits{MaxAnswerBytes, maxAnswerElements})
}

func read(data []byte, max limits) (*Message, error) {
	root, err := parse(data, max)
	if err != nil {
		return nil, err
	}
	if root.Name.Space != NSEnvelope || root.Name.Local != "Envelope" {
		return nil, errors.New("soap: the message is not a SOAP 1.2 envelope")
	}
	header, err := root.Child(NSEnvelope, "Header")
	if err != nil {
		return nil, err
	}
	body, err := root.Child(NSEnvelope, "Body")
	if err != nil {
		return nil, err
	}
	if body == nil || len(body.Children) != 1 {
		return nil, errors.New("soap: the body must hold one element")
	}
	if n := len(root.Children); header == nil && n != 1 || header != nil && (n != 2 || root.Children[0] != header) {
		return nil, errors.New("soap: the envelope must hold a header and a body")
	}
	m := &Message{Body: body.Children[0]}
	if header == nil {
		return m, nil
	}
	return m, m.headers(header)
}

func (m *Message) headers(header *Element) error {
	seen := map[string]bool{}
	for _, h := range header.Children {
		name := h.Name.Local
		switch h.Name.Space {
		case NSAddressing:
		case NSSecurity:
			if name != "Security" {
				name = ""
			}
		default:
			name = ""
		}
		switch name {
		case "Action", "MessageID":
			text := strings.TrimSpace(h.Text)
			if len(text) > maxHeader || len(h.Children) > 0 {
				return fmt.Errorf("soap: the header %s is too long or not text", name)
			}
			if name == "Action" {
				m.Action = text
			} else {
				m.MessageID = text
			}
		case "Security":
			if err := m.security(h); err != nil {
				return err
			}
		case "To", "ReplyTo", "From", "FaultTo": // the answer goes back on the connection whatever they say
		default:
			if v := h.Attr(NSEnvelope, "mustUnderstand"); v == "1" || v == "true" {
				return ErrNotUnderstood
			}
			continue
		}
		if seen[name] {
			return fmt.Errorf("soap: the header %s is there twice", name)
		}
		seen[name] = true
	}
	return nil
}

func (m *Message) security(h *Element) error {
	token, err := h.Child(NSSecurity, "UsernameToken")
	if err != nil || token == nil {
		return err
	}
	user, err := token.ChildText(NSSecurity, "Username")
	if err != nil {
		return err
	}
	password, err := token.Child(NSSecurity, "Password")
	if err != nil {
		return err
	}
	if user == "" || password == nil || password.Text == "" || len(password.Children) > 0 {
		return errors.New("soap: the user name token needs a user name and a password")
	}
	if kind := password.Attr("", "Type"); kind != "" && kind != passwordText {
		return errors.New("soap: only passwords in clear text are accepted")
	}
	if len(user) > maxHeader || len(password.Text) > maxHeader {
		return errors.New("soap: the user name token is too long")
	}
	m.User = &UsernameToken{Username: user, Password: password.Text}
	return nil
}
