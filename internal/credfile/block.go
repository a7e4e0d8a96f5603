package credfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// The comments around a block. The first says with newlineAdded that the line end before the block came with it.
const (
	beginMark    = "# rolecall configure: begin "
	endMark      = "# rolecall configure: end "
	newlineAdded = " (newline added)"
	replacedMark = "#rolecall# " // before each line of a profile that the block stands in for
)

// ownBlock is where a profile's block is among the lines: from begin to end, both included, then replaced lines up to after.
type ownBlock struct {
	begin, end, after int
	newline           bool
}

// findBlock gives nil if there is no block of that name, and an error if only a part of one is left.
func findBlock(lines []line, name string) (*ownBlock, error) {
	b := ownBlock{begin: -1, end: -1}
	for i := range lines {
		text := string(bytes.TrimPrefix(lines[i].text, []byte("\ufeff")))
		switch {
		case text == beginMark+name, text == beginMark+name+newlineAdded:
			if b.begin >= 0 {
				return nil, brokenBlock(name)
			}
			b.begin, b.newline = i, strings.HasSuffix(text, newlineAdded)
		case text == endMark+name:
			if b.begin < 0 || b.end >= 0 {
				return nil, brokenBlock(name)
			}
			b.end = i
		}
	}
	if b.begin < 0 && b.end < 0 {
		return nil, nil
	}
	if b.end < b.begin {
		return nil, brokenBlock(name)
	}
	for i := b.begin + 1; i < b.end; i++ {
		if bytes.HasPrefix(lines[i].text, []byte(beginMark)) {
			return nil, brokenBlock(name)
		}
	}
	for b.after = b.end + 1; b.after < len(lines) && bytes.HasPrefix(lines[b.after].text, []byte(replacedMark)); b.after++ {
	}
	return &b, nil
}

func brokenBlock(name string) error {
	return &Error{fmt.Sprintf("the comments around the profile %q that this program wrote have been changed", name),
		"remove the profile and these comments by hand, and try again", nil}
}

// setBlock gives file with the block of p.
func setBlock(file []byte, p *Profile) ([]byte, Change, error) {
	if err := CheckConfigProfile(p.Name); err != nil {
		return nil, "", err
	}
	for _, kv := range p.Keys {
		if strings.ContainsAny(kv[1], "\r\n\x00") || kv[1] != strings.TrimSpace(kv[1]) {
			return nil, "", errors.New("the value of " + kv[0] + " cannot be written into a config file")
		}
	}
	lines := split(file)
	classifyAs(lines, configSection(p.Name))
	b, err := findBlock(lines, p.Name)
	if err != nil {
		return nil, "", err
	}
	eol := lineEnd(lines)
	first, last := userSection(lines, b)
	switch {
	case first >= 0 && b != nil:
		return nil, "", &Error{fmt.Sprintf("the profile %q stands in the file twice: once from this program and once from elsewhere", p.Name),
			"remove one of the two; rolecall configure --remove takes out its own", nil}
	case first >= 0 && !p.Force:
		return nil, "", &Error{fmt.Sprintf("the profile %q is there already, and this program did not write it", p.Name),
			"choose another --profile, or replace it with --force, which keeps its lines as comments", nil}
	case first >= 0:
		return replaceSection(lines, first, last, p, eol), Replaced, nil
	case b != nil:
		data := bytes.Join([][]byte{join(lines[:b.begin]), updated(lines, b, p, eol), join(lines[b.end+1:])}, nil)
		if bytes.Equal(data, file) {
			return data, Unchanged, nil
		}
		return data, Updated, nil
	}
	var out bytes.Buffer
	out.Write(file)
	suffix := ""
	if n := len(lines); n > 0 {
		if lines[n-1].end == "" {
			out.WriteString(eol)
			suffix = newlineAdded
		}
		out.WriteString(eol)
	}
	out.Write(newBlock(p, suffix, eol, nil))
	return out.Bytes(), Created, nil
}

// userSection is the first section of the profile outside of the block, from its header to its last key; -1: there is none.
func userSection(lines []line, b *ownBlock) (first, last int) {
	first = -1
	for i := range lines {
		l := &lines[i]
		if b != nil && i >= b.begin && i <= b.end {
			continue
		}
		switch {
		case first < 0 && l.header:
			first, last = i, i
		case first >= 0 && l.section:
			return first, last
		case first >= 0 && len(bytes.TrimSpace(l.text)) > 0 && l.text[0] != '#' && l.text[0] != ';':
			last = i
		}
	}
	return first, last
}

func replaceSection(lines []line, first, last int, p *Profile, eol string) []byte {
	var out bytes.Buffer
	out.Write(join(lines[:first]))
	out.Write(newBlock(p, "", eol, nil))
	for _, l := range lines[first : last+1] {
		out.WriteString(replacedMark)
		out.Write(l.text)
		out.WriteString(l.end)
	}
	out.Write(join(lines[last+1:]))
	return out.Bytes()
}

func newBlock(p *Profile, suffix, eol string, kept []line) []byte {
	var out bytes.Buffer
	header := "profile " + p.Name
	if p.Name == "default" {
		header = p.Name
	}
	out.WriteString(beginMark + p.Name + suffix + eol + "[" + header + "]" + eol)
	for _, kv := range p.Keys {
		out.WriteString(kv[0] + " = " + kv[1] + eol)
	}
	out.Write(join(kept))
	out.WriteString(endMark + p.Name + eol)
	return out.Bytes()
}

// updated is the block with the keys of p, and with the lines that the user has put into it.
func updated(lines []line, b *ownBlock, p *Profile, eol string) []byte {
	suffix := ""
	if b.newline {
		suffix = newlineAdded
	}
	return newBlock(p, suffix, eol, foreign(lines[b.begin+1:b.end]))
}

// blockKeys are the keys that a block may have.
func blockKeys() []string { return []string{"region", "credential_process"} }

// foreign are the lines within a block that are not the program's.
func foreign(lines []line) []line {
	var kept []line
	for _, l := range lines {
		if l.header {
			continue
		}
		own := false
		if name, _, ok := cutKey(string(l.text)); ok && l.key {
			for _, k := range blockKeys() {
				own = own || name == k
			}
		}
		if !own {
			kept = append(kept, l)
		}
	}
	return kept
}

// removeBlock gives file without the block and with what it replaced. Lines that the user has put into the block stay, under
// the header.
func removeBlock(file []byte, name string) ([]byte, Change, error) {
	if err := CheckConfigProfile(name); err != nil {
		return nil, "", err
	}
	lines := split(file)
	classifyAs(lines, configSection(name))
	b, err := findBlock(lines, name)
	if err != nil {
		return nil, "", err
	}
	if b == nil {
		return nil, "", &Error{fmt.Sprintf("there is no profile %q that this program wrote", name), "check --profile and AWS_CONFIG_FILE", nil}
	}
	before, rest := lines[:b.begin], lines[b.after:]
	kept := foreign(lines[b.begin+1 : b.end])
	var out bytes.Buffer
	if len(kept) > 0 {
		for i := b.begin + 1; i < b.end; i++ {
			if lines[i].header {
				kept = append([]line{lines[i]}, kept...)
				break
			}
		}
	} else if b.after == b.end+1 && len(before) > 0 && len(before[len(before)-1].text) == 0 {
		before = before[:len(before)-1] // the empty line that came with the block
	}
	out.Write(join(before))
	if b.newline && len(kept) == 0 && len(rest) == 0 && b.after == b.end+1 {
		out.Truncate(len(bytes.TrimSuffix(out.Bytes(), []byte(lines[b.begin].end))))
	}
	out.Write(join(kept))
	for _, l := range lines[b.end+1 : b.after] {
		out.Write(bytes.TrimPrefix(l.text, []byte(replacedMark)))
		out.WriteString(l.end)
	}
	out.Write(join(rest))
	return out.Bytes(), Removed, nil
}

func join(lines []line) []byte {
	var out bytes.Buffer
	for _, l := range lines {
		out.Write(l.text)
		out.WriteString(l.end)
	}
	return out.Bytes()
}
