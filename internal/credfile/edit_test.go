package credfile

import (
	"bytes"
	"strings"
	"testing"
)

func fresh() *Values { return &Values{"AKID", "SEC/+", "TOK=="} }

const (
	block     = "aws_access_key_id = AKID\naws_secret_access_key = SEC/+\naws_session_token = TOK==\n"
	crlfBlock = "aws_access_key_id = AKID\r\naws_secret_access_key = SEC/+\r\naws_session_token = TOK==\r\n"
)

func TestEdit(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, tt := range []struct{ name, profile, in, want string }{
		{"empty", "default", "", "[default]\n" + block},
		{"replaced in place", "default", "[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n", "[default]\n" + block},
		{"other order, other keys", "p", "[p]\naws_session_token=c\nregion = x\naws_access_key_id=a\nb = c\naws_secret_access_key=s\n",
			"[p]\naws_session_token = TOK==\nregion = x\naws_access_key_id = AKID\nb = c\naws_secret_access_key = SEC/+\n"},
		{"last line without newline stays", "default", "[default]\nregion = us-east-1", "[default]\n" + block + "region = us-east-1"},
		{"owned last line without newline", "p", "[p]\naws_secret_access_key = b\naws_session_token = c\naws_access_key_id = a",
			"[p]\naws_secret_access_key = SEC/+\naws_session_token = TOK==\naws_access_key_id = AKID"},
		{"one is missing", "p", "[p]\naws_access_key_id = a\naws_secret_access_key = b\nregion = x\n", "[p]\n" + block + "region = x\n"},
		{"appended", "p", "[q]\na = b\n", "[q]\na = b\n\n[p]\n" + block},
		{"appended without newline", "p", "[q]\na = b", "[q]\na = b\n\n[p]\n" + block},
		{"appended after an empty line", "p", "[q]\n\n", "[q]\n\n[p]\n" + block},
		{"header without newline", "p", "[p]", "[p]\n" + block},
		{"header with comment", "default", "[default] # mine ]\nregion = x\n", "[default] # mine ]\n" + block + "region = x\n"},
		{"header with spaces", "default", "[ default ]\n", "[ default ]\n" + block},
		{"commented header", "p", "#[p]\n; [p]\n", "#[p]\n; [p]\n\n[p]\n" + block},
		{"CRLF", "p", "[p]\r\naws_access_key_id = a\r\nregion = x\r\n", "[p]\r\n" + crlfBlock + "region = x\r\n"},
		{"appended CRLF", "p", "[q]\r\nx = y", "[q]\r\nx = y\r\n\r\n[p]\r\n" + crlfBlock},
		{"longer key", "p", "[p]\naws_access_key_id_backup = keep\n", "[p]\n" + block + "aws_access_key_id_backup = keep\n"},
		{"upper case, colon, no spaces", "p", "[p]\nAWS_ACCESS_KEY_ID: a\nAws_Secret_Access_Key=b\naws_session_token\t=\tc\n", "[p]\n" + block},
		{"indented", "p", "[p]\n  aws_access_key_id = a\n  region = x\n",
			"[p]\n  aws_access_key_id = AKID\n  aws_secret_access_key = SEC/+\n  aws_session_token = TOK==\n  region = x\n"},
		{"indented others", "p", "[p]\n# c\n\tregion = x\n",
			"[p]\n\taws_access_key_id = AKID\n\taws_secret_access_key = SEC/+\n\taws_session_token = TOK==\n# c\n\tregion = x\n"},
		{"nested key is not ours", "p", "[p]\ns3 =\n  aws_access_key_id = nested\n", "[p]\n" + block + "s3 =\n  aws_access_key_id = nested\n"},
		{"nested header is not one", "p", "[q]\nx = y\n  [p]\n", "[q]\nx = y\n  [p]\n\n[p]\n" + block},
		{"continued value goes", "p", "[p]\naws_session_token = a\n  b\n# keep\n\n  c\nregion = x\naws_access_key_id=1\naws_secret_access_key=2\n",
			"[p]\naws_session_token = TOK==\n# keep\n\nregion = x\naws_access_key_id = AKID\naws_secret_access_key = SEC/+\n"},
		{"every copy of a key", "p", "[p]\naws_access_key_id = a\naws_access_key_id = b\n[p]\naws_access_key_id = c\n",
			"[p]\naws_access_key_id = AKID\naws_access_key_id = AKID\n[p]\n" + block},
		{"neighbours", "b", "[a]\naws_access_key_id = a\n[b]\naws_access_key_id = b\n[c]\naws_access_key_id = c\n",
			"[a]\naws_access_key_id = a\n[b]\n" + block + "[c]\naws_access_key_id = c\n"},
		{"name is a piece of another", "dev", "[dev2]\naws_access_key_id = a\n", "[dev2]\naws_access_key_id = a\n\n[dev]\n" + block},
		{"long line", "p", "[p]\nx = " + long + "\n[q]\na = b\n", "[p]\n" + block + "x = " + long + "\n[q]\na = b\n"},
		{"byte order mark", "p", "\ufeff[p]\n", "\ufeff[p]\n" + block},
		{"not text", "p", "\x00\xff\xfe\n[p]\n\x80=\x81\n", "\x00\xff\xfe\n[p]\n" + block + "\x80=\x81\n"},
	} {
		got, err := Edit([]byte(tt.in), tt.profile, fresh())
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\ngot  %.600q\nwant %.600q", tt.name, err, got, tt.want)
			continue
		}
		if again, err := Edit(got, tt.profile, fresh()); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%s: a second time it is %.300q, %v", tt.name, again, err)
		}
	}
}

func TestEditRefuses(t *testing.T) {
	for _, p := range []string{"", " x", "a\nb", "a]b", "[", strings.Repeat("x", 257)} {
		if _, err := Edit(nil, p, fresh()); err == nil {
			t.Errorf("profile %q is accepted", p)
		}
	}
	for _, v := range []Values{{}, {"a", "b", ""}, {"a\n", "b", "c"}, {"a", "b c", "c"}, {"a", "b", "ü"}} {
		if _, err := Edit(nil, "p", &v); err == nil || strings.Contains(err.Error(), "b c") {
			t.Errorf("%q: %v", v, err)
		}
	}
}

// remains is the file without the owned lines of profile, by a reader of its own.
func remains(file, profile string) (rest []string, values map[string]string, found bool) {
	values = map[string]string{}
	inside, deepest, current := false, -1, ""
	for n, text := range strings.SplitAfter(file, "\n") {
		if n == 0 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		body := strings.TrimSpace(text)
		depth := len([]rune(text)) - len([]rune(strings.TrimLeft(text, " \t\v\f\r\n\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000")))
		switch {
		case body == "" || strings.HasPrefix(body, "#") || strings.HasPrefix(body, ";"):
		case deepest >= 0 && depth > deepest:
			if current != "" {
				values[current] += "\n" + body
				continue
			}
		case body[0] == '[' && strings.Contains(body, "]"):
			name, _, _ := strings.Cut(body[1:], "]")
			inside, deepest, current = strings.TrimSpace(name) == profile, -1, ""
			found = found || inside
		default:
			deepest, current = depth, ""
			name, value := body, ""
			if i := strings.IndexAny(body, "=:"); i >= 0 {
				name, value = strings.ToLower(strings.TrimSpace(body[:i])), strings.TrimSpace(body[i+1:])
				if inside && (name == keyID || name == keySecret || name == keyToken) {
					current = name
					values[name] = value
					continue
				}
			}
		}
		rest = append(rest, text)
	}
	return rest, values, found
}

// Everything that is not owned is there, in its order, to the byte; the values are found; a second edit changes nothing.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{
		"", "[default]\naws_access_key_id = a\n", "[p]\r\n  aws_session_token=x\r\n   more\r\n# c\r\n\r\n[q]\r\n", "[ p ] # c\nregion = x", "\ufeff[p]\n\tk: v\n",
		"x\n[p", "[p]\n=\n  [p]\n[p]\naws_secret_access_key:b\n", "[p]\n\u2003a = b\n",
	} {
		f.Add(s, "p")
		f.Add(s, "default")
	}
	f.Fuzz(func(t *testing.T, file, profile string) {
		got, err := Edit([]byte(file), profile, fresh())
		if err != nil {
			if CheckProfile(profile) == nil {
				t.Fatal(err)
			}
			return
		}
		before, _, had := remains(file, profile)
		after, values, found := remains(string(got), profile)
		if !found || values[keyID] != "AKID" || values[keySecret] != "SEC/+" || values[keyToken] != "TOK==" {
			t.Errorf("%q %q: the values are not found in %q", file, profile, got)
		}
		was, is := strings.Join(before, ""), strings.Join(after, "")
		switch {
		case had: // at most the newline that parts what is ours from a last line without one
			if is != was && is != was+"\n" && is != was+"\r\n" {
				t.Errorf("%q: kept %q, want %q", file, is, was)
			}
		case !strings.HasPrefix(string(got), file):
			t.Errorf("%q: appending changed the file to %q", file, got)
		}
		again, err := Edit(got, profile, fresh())
		if err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q: not the same a second time: %q, then %q, %v", file, got, again, err)
		}
	})
}
