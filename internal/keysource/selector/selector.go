// Package selector chooses one certificate among several by what it says: the --cert-selector of the command line.
//
// It reads the official helper's grammar, a string or JSON, with its keys x509Subject, x509Issuer and x509Serial, and adds
// keys of its own. It is pure: it gets certificates and gives the index of one, or an error that says why each of the
// others did not fit. Where certificates come from is not its business.
// Start with [Parse] and [Selector.Select]; grammar.go reads the text, match.go compares, dn.go and names.go read names.
package selector

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Key says which part of a certificate a term looks at.
type Key string

// The first three are the official helper's.
const (
	Subject    Key = "x509Subject"    // the distinguished name, as Go writes it, or the same attributes in another form
	Issuer     Key = "x509Issuer"     // likewise
	Serial     Key = "x509Serial"     // hexadecimal
	SubjectHas Key = "x509SubjectHas" // these attributes are in the name, whatever else is; * stands for any text
	IssuerHas  Key = "x509IssuerHas"  // likewise
	SAN        Key = "x509SAN"        // subject alternative name, kind:value or value; * stands for any text
	Thumbprint Key = "x509Thumbprint" // SHA-1 or SHA-256 of the DER, hexadecimal
	Template   Key = "x509Template"   // name or object identifier of the Microsoft certificate template
)

// keys are all of them, in the order of messages.
func keys() []Key {
	return []Key{Subject, Issuer, Serial, SubjectHas, IssuerHas, SAN, Thumbprint, Template}
}

// Selector is a list of terms, all of which must fit. [Parse] makes it.
type Selector struct {
	terms []term
}

type term struct {
	key     Key
	text    string // as given
	hex     string // Serial and Thumbprint: lower case, no separators
	name    []attribute
	sanKind string // "": any
	san     string
}

// Candidate is a certificate to choose from.
type Candidate struct {
	Certificate *x509.Certificate
	Where       string // for messages: a file name or the like; may be empty
}

func (c Candidate) String() string {
	text := fmt.Sprintf("%s, serial %x, valid until %s", c.Certificate.Subject, c.Certificate.SerialNumber,
		c.Certificate.NotAfter.UTC().Format(time.DateOnly))
	if c.Where != "" {
		text += " (" + c.Where + ")"
	}
	return text
}

// Select gives the index of the candidate that fits every term. A name that is written exactly as Go writes it wins over
// one that only has the same attributes, so that a selector of the official helper finds what it found there.
// Of several that fit, latest takes the one that expires last; without it that is an error.
// A nil Selector fits every certificate. Errors are *[Error].
func (s *Selector) Select(candidates []Candidate, latest bool) (int, error) {
	var exact, loose []int
	var details []string
	for i, c := range candidates {
		fit, why := s.fits(c.Certificate)
		switch fit {
		case exactFit:
			exact = append(exact, i)
		case looseFit:
			loose = append(loose, i)
		default:
			details = append(details, c.String()+": "+why)
		}
	}
	found := exact
	if len(found) == 0 {
		found = loose
	}
	switch {
	case len(found) == 0:
		return 0, &Error{Candidates: len(candidates), lines: details}
	case len(found) == 1:
		return found[0], nil
	case !latest:
		e := &Error{Candidates: len(candidates), Matches: len(found)}
		for _, i := range found {
			e.lines = append(e.lines, candidates[i].String())
		}
		return 0, e
	}
	best := found[0]
	for _, i := range found[1:] {
		if !candidates[i].Certificate.NotAfter.Before(candidates[best].Certificate.NotAfter) {
			best = i
		}
	}
	return best, nil
}

// Error says that not exactly one certificate fits.
type Error struct {
	Candidates int
	Matches    int // 0, or more than 1
	lines      []string
}

func (e *Error) Error() string {
	switch {
	case e.Candidates == 0:
		return "no matching identities: there is no certificate to choose from"
	case e.Matches == 0:
		return fmt.Sprintf("no matching identities: none of %d certificates fits the selector", e.Candidates)
	}
	return fmt.Sprintf("multiple matching identities: %d of %d certificates fit", e.Matches, e.Candidates)
}

// maxDetails bounds the lines of Details.
const maxDetails = 20

// Details has a line per certificate: why it does not fit, or that it is one of those that do.
func (e *Error) Details() []string {
	if len(e.lines) > maxDetails {
		return append(e.lines[:maxDetails:maxDetails], fmt.Sprintf("and %d more", len(e.lines)-maxDetails))
	}
	return e.lines
}

// Hint says what to do.
func (e *Error) Hint() string {
	switch {
	case e.Candidates == 0:
		return "check where the certificates are looked for; only those whose private key is there count"
	case e.Matches == 0:
		return "correct the value that each line names; x509SubjectHas and x509IssuerHas compare single attributes"
	}
	return "add a term that only one of them fits, or --use-latest-expiring-certificate"
}
