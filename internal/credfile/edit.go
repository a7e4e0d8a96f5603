package credfile

import (
	"bytes"
	"errors"
	"strings"
)

// The three keys that are owned. Readers compare keys without regard to case.
const (
	keyID     = "aws_access_key_id"
	keySecret = "aws_secret_access_key"
	keyToken  = "aws_session_token"
)

// Values are what is written. They consist of printable ASCII without spaces.
type Values struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

func (v *Values) list() [3][2]string {
	return [3][2]string{{keyID, v.AccessKeyID}, {keySecret, v.SecretAccessKey}, {keyToken, v.SessionToken}}
}

func (v *Values) check() error {
	for _, kv := range v.list() {
		if kv[1] == "" || strings.ContainsFunc(kv[1], func(r rune) bool { return r <= ' ' || r > '~' }) {
			return errors.New("the value of " + kv[0] + " cannot be written into a credentials file")
		}
	}
	return nil
}

// CheckProfile refuses names that cannot stand in a section header and be found again.
func CheckProfile(name string) error {
	if name == "" || len(name) > 256 || name != strings.TrimSpace(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '[' || r == ']' || r == '\ufffd' }) {
		return errors.New("the profile name is empty or has characters that a credentials file cannot hold")
	}
	return nil
}

// Edit gives file with the three keys of profile set. Owned, and so changed, are only the lines of these keys in sections
// of that name, with the continuation lines of their values; all other bytes stay and keep their order. Missing keys are
// put after those that are there, else after the section's header; a missing section at the end of the file.
func Edit(file []byte, profile string, v *Values) ([]byte, error) {
	if err := CheckProfile(profile); err != nil {
		return nil, err
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	lines := split(file)
	classify(lines, profile)
	eol := lineEnd(lines)
	values := v.list()
	at, indent, missing := plan(lines, values)
	var out bytes.Buffer
	out.Grow(len(file) + 2048)
	insert := func() {
		if len(missing) > 0 && out.Len() > 0 && out.Bytes()[out.Len()-1] != '\n' {
			out.WriteString(eol)
		}
		for _, kv := range missing {
			out.WriteString(indent + kv[0] + " = " + kv[1] + eol)
		}
	}
	for i := range lines {
		l := &lines[i]
		switch {
		case l.owner == "":
			out.Write(l.text)
			out.WriteString(l.end)
		case l.continued: // a piece of the old value
		default:
			for _, kv := range values {
				if kv[0] == l.owner {
					out.WriteString(l.indent + kv[0] + " = " + kv[1] + l.end)
				}
			}
		}
		if i == at {
			insert()
		}
	}
	if at < 0 {
		if n := len(lines); n > 0 {
			if lines[n-1].end == "" {
				out.WriteString(eol)
			}
			if len(bytes.TrimSpace(lines[n-1].text)) > 0 {
				out.WriteString(eol)
			}
		}
		out.WriteString("[" + profile + "]" + eol)
		insert()
	}
	return out.Bytes(), nil
}

// plan finds where missing keys go: at is the line after which, or -1 if there is no such section.
func plan(lines []line, values [3][2]string) (at int, indent string, missing [][2]string) {
	at, header := -1, -1
	have := map[string]bool{}
	for i := range lines {
		l := &lines[i]
		if l.header && header < 0 {
			header, at = i, i
		}
		if l.owner != "" {
			have[l.owner] = true
			at = i
			if !l.continued {
				indent = l.indent
			}
		}
	}
	if len(have) == 0 && header >= 0 {
		// As the section's first key: if that were further to the right than ours, it would continue our value.
		indent = firstIndent(lines[header+1:])
	}
	for _, kv := range values {
		if !have[kv[0]] {
			missing = append(missing, kv)
		}
	}
	return at, indent, missing
}

// firstIndent is the indentation of the first key of a section whose lines begin here.
func firstIndent(lines []line) string {
	for i := range lines {
		if lines[i].key {
			return lines[i].indent
		}
		if lines[i].section {
			break
		}
	}
	return ""
}
