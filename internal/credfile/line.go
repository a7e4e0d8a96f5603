package credfile

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is one line of a credentials file and what the AWS CLI's parser makes of it.
type line struct {
	text []byte // without its end
	end  string // "\n", "\r\n", or "" for a last line without either

	indent    string
	section   bool   // a section header
	header    bool   // a header of the profile's section
	key       bool   // a key, or what stands in the place of one
	owner     string // the owned key that the line belongs to; "": it is not owned
	continued bool   // the line continues the value of the key before it
}

func split(file []byte) []line {
	var lines []line
	for len(file) > 0 {
		text, rest, found := bytes.Cut(file, []byte("\n"))
		l := line{text: text}
		if found {
			l.end = "\n"
			if bytes.HasSuffix(text, []byte("\r")) {
				l.text, l.end = text[:len(text)-1], "\r\n"
			}
		}
		lines, file = append(lines, l), rest
	}
	return lines
}

// lineEnd is how the file ends its lines.
func lineEnd(lines []line) string {
	if len(lines) > 0 && lines[0].end != "" {
		return lines[0].end
	}
	return "\n"
}

// classify tells for each line what it is. The rules are those of Python's configparser, which the AWS CLI reads the file
// with: lines that begin with # or ; are comments; a line further to the right than the last key continues its value,
// also across comments and empty lines; keys have no case and end at the first = or :.
func classify(lines []line, profile string) {
	classifyAs(lines, func(section string) bool { return section == profile })
}

// classifyAs is classify for sections that mine says are the profile's.
func classifyAs(lines []line, mine func(section string) bool) {
	inProfile, option, owner := false, -1, "" // option: the indentation of the last key of the section
	for i := range lines {
		l := &lines[i]
		text := l.text
		if i == 0 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		body := bytes.TrimLeftFunc(text, unicode.IsSpace)
		l.indent = string(text[:len(text)-len(body)])
		if len(body) == 0 || body[0] == '#' || body[0] == ';' {
			continue
		}
		depth := utf8.RuneCountInString(l.indent)
		if option >= 0 && depth > option {
			l.owner, l.continued = owner, owner != ""
			continue
		}
		if name, ok := sectionName(body); ok {
			l.section = true
			inProfile, option, owner = mine(name), -1, ""
			l.header = inProfile
			continue
		}
		l.key, option, owner = true, depth, ""
		if inProfile {
			owner = ownedKey(body)
			l.owner = owner
		}
	}
}

// sectionName reads a header such as "[ name ] ; comment".
func sectionName(body []byte) (string, bool) {
	if body[0] != '[' {
		return "", false
	}
	name, _, ok := strings.Cut(string(body[1:]), "]")
	return strings.TrimSpace(name), ok
}

func ownedKey(body []byte) string {
	i := bytes.IndexAny(body, "=:")
	if i < 0 {
		return ""
	}
	switch name := strings.ToLower(string(bytes.TrimSpace(body[:i]))); name {
	case keyID, keySecret, keyToken:
		return name
	}
	return ""
}
