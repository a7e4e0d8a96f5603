// Package processline writes and reads the value of credential_process in an AWS config file: words in a line. It reads no
// config file and starts nothing.
//
// Start with [Join] and [Split].
package processline

import (
	"errors"
	"strings"
)

// The line of credential_process is split by the AWS CLI as a POSIX shell or the C library of Windows would, without a
// shell; other SDKs hand it to sh -c or cmd.exe /C. It is written so that all of them see the same words, and that the
// readers of config files, some of which take quotes around a whole value away and what follows " #" for a comment, do so.

// plainWord are the characters that mean nothing to any of them.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"

// Join writes words as a line for the system, a runtime.GOOS of which only "windows" matters. What no quoting keeps, such as
// a line end, is an error.
func Join(words []string, system string) (string, error) {
	var out []string
	for _, w := range words {
		if strings.ContainsAny(w, "\r\n\x00") {
			return "", errors.New("a line end cannot be written into a config file")
		}
		if system != "windows" {
			out = append(out, posixWord(w))
			continue
		}
		quoted, err := windowsWord(w)
		if err != nil {
			return "", err
		}
		out = append(out, quoted)
	}
	return strings.Join(out, " "), nil
}

// posixWord quotes only what needs it, so that no value begins with a quote, and apart from what stands before a # or ;.
func posixWord(w string) string {
	if w == "" {
		return "''"
	}
	var b strings.Builder
	open := false
	for i := range len(w) { // bytes: a path need not be UTF-8
		r := w[i]
		plain := strings.IndexByte(plainWord, r) >= 0
		if open && (plain || r == '\'' || r == '#' || r == ';') {
			b.WriteByte('\'')
			open = false
		}
		switch {
		case plain:
		case r == '\'':
			b.WriteByte('\\')
		case !open:
			b.WriteByte('\'')
			open = true
		}
		b.WriteByte(r)
	}
	if open {
		b.WriteByte('\'')
	}
	return b.String()
}

// windowsWord puts double quotes around what holds spaces or has a meaning to cmd.exe. In a path they begin after the drive:
// cmd.exe takes a quote at the very beginning of a line away, and a backslash before a quote would escape it.
func windowsWord(w string) (string, error) {
	if strings.ContainsAny(w, `"%!`) {
		return "", errors.New(`the characters " % and ! mean something to cmd.exe even between quotes`)
	}
	if strings.Contains(w, " #") || strings.Contains(w, " ;") {
		return "", errors.New("a # or ; after a space begins a comment in a config file")
	}
	if w != "" && strings.Trim(w, plainWord+`\~*{}[]`) == "" {
		return w, nil
	}
	head := ""
	if len(w) > 2 && w[1] == ':' {
		head, w = w[:2], w[2:]
	}
	return head + `"` + w + strings.Repeat(`\`, len(w)-len(strings.TrimRight(w, `\`))) + `"`, nil
}

// Split is what the AWS CLI on the system makes of a line. A quote that is not closed is an error.
func Split(line, system string) ([]string, error) {
	if system == "windows" {
		return splitWindows(line)
	}
	return splitPOSIX(line)
}

var errQuote = errors.New("a quote is not closed")

// splitPOSIX follows Python's shlex in POSIX mode: backslash escapes any character, between double quotes only " and \.
func splitPOSIX(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	started := false
	var quote byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote == 0 && i+1 < len(line),
			c == '\\' && quote == '"' && i+1 < len(line) && (line[i+1] == '"' || line[i+1] == '\\'):
			i++
			w.WriteByte(line[i])
			started = true
		case quote == 0 && c == '\\':
			return nil, errors.New("it ends with a backslash")
		case quote != 0:
			w.WriteByte(c)
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			if started {
				words = append(words, w.String())
				w.Reset()
			}
			started = false
		default:
			w.WriteByte(c)
			started = true
		}
	}
	if quote != 0 {
		return nil, errQuote
	}
	if started {
		words = append(words, w.String())
	}
	return words, nil
}

// splitWindows follows the C library: backslashes are plain but before a quote, where two are one and one escapes it.
func splitWindows(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	started, quoted := false, false
	for i := 0; i < len(line); i++ {
		n := len(line[i:]) - len(strings.TrimLeft(line[i:], `\`))
		if n > 0 && i+n < len(line) && line[i+n] == '"' {
			w.WriteString(strings.Repeat(`\`, n/2))
			started = true
			i += n
			if n%2 == 1 {
				w.WriteByte('"')
				continue
			}
		}
		c := line[i]
		switch {
		case c == '"':
			quoted, started = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if started {
				words = append(words, w.String())
				w.Reset()
			}
			started = false
		default:
			w.WriteByte(c)
			started = true
		}
	}
	if quoted {
		return nil, errQuote
	}
	if started {
		words = append(words, w.String())
	}
	return words, nil
}
