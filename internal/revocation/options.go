package revocation

import (
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/store"
)

// The reserved tags of a trust anchor.
const (
	TagPrefix      = "rolecall:"
	TagCheck       = "rolecall:revocation-check"   // sources in the order they are asked: crl and ocsp, joined by a space (or + : ,)
	TagFailure     = "rolecall:revocation-failure" // hard (the default) or soft: what holds if no source answers
	TagEndSessions = "rolecall:end-sessions"       // true or false
)

// Source is where revocations are asked for.
type Source string

// The sources.
const (
	CRL  Source = "crl"
	OCSP Source = "ocsp"
)

// Options are a trust anchor's settings. The zero value is AWS's behaviour.
type Options struct {
	Check       []Source // in the order they are asked; none for no check
	Soft        bool     // a certificate whose state cannot be found out is accepted
	EndSessions bool
}

// OptionsOf reads the reserved tags among those of a trust anchor. The error's text suits a ValidationException.
func OptionsOf(tags []store.Tag) (o Options, err error) {
	for _, t := range tags {
		if len(t.Key) < len(TagPrefix) || !strings.EqualFold(t.Key[:len(TagPrefix)], TagPrefix) {
			continue
		}
		switch t.Key {
		case TagCheck:
			o.Check, err = sources(t.Value)
		case TagFailure:
			if o.Soft = t.Value == "soft"; !o.Soft && t.Value != "hard" {
				err = bad(t, "hard or soft")
			}
		case TagEndSessions:
			if o.EndSessions = t.Value == "true"; !o.EndSessions && t.Value != "false" {
				err = bad(t, "true or false")
			}
		default:
			// A misspelt setting must not look as if it were one.
			err = fmt.Errorf("the tag key %s is reserved: a trust anchor can have %s, %s and %s", t.Key, TagCheck, TagFailure, TagEndSessions)
		}
		if err != nil {
			return Options{}, err
		}
	}
	return o, nil
}

func bad(t store.Tag, want string) error {
	return fmt.Errorf("the value %q of the tag %s is not known: use %s", t.Value, t.Key, want)
}

// sources reads a list. The API's tags hold no comma (their characters are [ a-zA-Z0-9_.:/=+@-]), so that a space, a plus
// sign or a colon does as well.
func sources(value string) ([]Source, error) {
	var out []Source
	for _, f := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(", +:", r) }) {
		s := Source(f)
		if s != CRL && s != OCSP || len(out) == 1 && out[0] == s || len(out) == 2 {
			return nil, bad(store.Tag{Key: TagCheck, Value: value}, `crl, ocsp, "ocsp crl" or "crl ocsp"`)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, bad(store.Tag{Key: TagCheck, Value: value}, `crl, ocsp, "ocsp crl" or "crl ocsp"`)
	}
	return out, nil
}
