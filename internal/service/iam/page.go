package iam

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// defaultItems is the size of a page when the request does not say.
const defaultItems = 100

// maxPages bounds how many store pages one call walks to fill its own: with a filter that matches little, a page may
// come back short, as in AWS, and the marker leads on.
const maxPages = 20

// page is what a request says about paging.
type page struct {
	op    string
	limit int
	after string
}

// newPage reads Marker and MaxItems, whose range the model has checked.
func newPage(c *awsapi.Call, marker *string, items *int32) (*page, error) {
	p := &page{op: c.Op.Name, limit: defaultItems}
	if items != nil {
		p.limit = int(*items)
	}
	if marker == nil {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(*marker)
	op, after, ok := strings.Cut(string(raw), "\n")
	if err != nil || !ok || op != p.op || after == "" {
		return nil, awsapi.Validation("Invalid Marker.")
	}
	p.after = after
	return p, nil
}

// end is IsTruncated and Marker of the answer.
func (p *page) end(next string) (*bool, *string) {
	if next == "" {
		return new(false), nil
	}
	return new(true), new(base64.RawURLEncoding.EncodeToString([]byte(p.op + "\n" + next)))
}

// fill reads store pages until keep has accepted as many rows as the page takes. It never reads more rows at once than
// it still needs, so that the store's key always says where to go on.
func fill[T any](p *page, list func(limit int, after string) ([]T, string, error), keep func(*T) (bool, error)) (next string, err error) {
	need, next := p.limit, p.after
	for range maxPages {
		rows, n, err := list(need, next)
		if err != nil {
			return "", err
		}
		for i := range rows {
			ok, err := keep(&rows[i])
			if err != nil {
				return "", err
			}
			if ok {
				need--
			}
		}
		next = n
		if next == "" || need == 0 {
			break
		}
	}
	return next, nil
}

// phase is one of the lists that an answer runs through, in order; its name is part of the marker.
type phase struct {
	name string
	walk func(*page) (next string, kept int, err error)
}

// run fills the page from the phases and returns where to go on.
func (p *page) run(phases []phase) (next string, err error) {
	if p.after != "" {
		name, after, _ := strings.Cut(p.after, ":")
		at := slices.IndexFunc(phases, func(ph phase) bool { return ph.name == name })
		if at < 0 {
			return "", awsapi.Validation("Invalid Marker.")
		}
		phases, p.after = phases[at:], after
	}
	for i, ph := range phases {
		next, kept, err := ph.walk(p)
		if err != nil {
			return "", err
		}
		if next != "" {
			return ph.name + ":" + next, nil
		}
		p.limit, p.after = p.limit-kept, ""
		if p.limit == 0 && i+1 < len(phases) {
			return phases[i+1].name + ":", nil
		}
	}
	return "", nil
}

// walk is fill that also counts.
func walk[T any](p *page, list func(int, string) ([]T, string, error), keep func(*T) (bool, error)) (next string, kept int, err error) {
	next, err = fill(p, list, func(row *T) (bool, error) {
		ok, err := keep(row)
		if ok {
			kept++
		}
		return ok, err
	})
	return next, kept, err
}

// each walks over all rows of a list.
func each[T any](list func(limit int, after string) ([]T, string, error), fn func(*T) error) error {
	for after := ""; ; {
		rows, next, err := list(store.MaxPage, after)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := fn(&rows[i]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}

// collect is each into a slice, for lists that a quota keeps short.
func collect[T any](list func(limit int, after string) ([]T, string, error)) ([]T, error) {
	var out []T
	err := each(list, func(row *T) error {
		out = append(out, *row)
		return nil
	})
	return out, err
}

// span is the part of a list that a page shows.
type span struct{ from, to int }

// slice pages through n items that are in memory already, in the order of cmp on their keys.
func (p *page) slice(n int, key func(int) string, cmp func(a, b string) int) (span, string) {
	from := 0
	for p.after != "" && from < n && cmp(key(from), p.after) <= 0 {
		from++
	}
	to := min(from+p.limit, n)
	if to < n {
		return span{from, to}, key(to - 1)
	}
	return span{from, to}, ""
}

// count pages through n things that are made when they are asked for; the marker is a number.
func (p *page) count(n int) (at span, next string, err error) {
	if p.after != "" {
		if at.from, err = strconv.Atoi(p.after); err != nil || at.from < 0 || at.from > n {
			return span{}, "", awsapi.Validation("Invalid Marker.")
		}
	}
	at.to = min(at.from+p.limit, n)
	if at.to < n {
		next = strconv.Itoa(at.to)
	}
	return at, next, nil
}
