package httpauthz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// Table maps requests to actions and resources. It is made by ReadTable and not changed afterwards.
type Table struct {
	// Audit is "denied" to record denied requests only, or "all". Default: denied.
	Audit    string     `json:"audit"`
	Services []*Service `json:"services"`

	byHost map[string]*Service
}

// Service is what the requests to some host names mean.
type Service struct {
	// Name is the service of the credential scope, and the prefix of the actions.
	Name string `json:"name"`
	// Hosts are the names, without a port, that clients send their requests to and sign.
	Hosts []string `json:"hosts"`
	// Account owns the resources: callers of other accounts are refused.
	Account arn.AccountID `json:"account"`
	// Region is the one that requests have to be signed for. Callers must not be able to choose it: policies name it.
	Region arn.Region `json:"region"`
	// Signing is "standard", or "s3" for services whose clients sign paths as S3's do. Default: standard.
	Signing string `json:"signing"`
	// Rules are tried in order; the first whose condition holds decides what is asked for. A request that none fits is denied.
	Rules []*Rule `json:"rules"`
}

// Rule is one kind of request.
type Rule struct {
	Methods []string `json:"methods"` // empty for any
	// Path is literal but for {name}, one segment, and a last {name...}, one segment or more.
	Path string `json:"path"`
	// Target is the value of X-Amz-Target, which then has to be signed; "" for any.
	Target string `json:"target"`
	// Action is what the caller must be allowed, such as orders:GetOrder.
	Action string `json:"action"`
	// Resource is an ARN with {region}, {account} and the names of Path. Default: *.
	Resource string `json:"resource"`
	// Context are condition keys and where their values come from: query:NAME, header:NAME (which has to be signed) or path:NAME.
	Context map[string]string `json:"context"`

	pattern  pattern
	resource []piece
	context  []contextKey
}

type contextKey struct{ key, from, name string }

// maxTable bounds a table's file, in bytes.
const maxTable = 1 << 20

// ReadTable reads and checks a table. Unknown fields are refused: a misspelt one would be a rule that does not apply.
func ReadTable(path string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err != nil {
		return nil, err
	}
	t, err := parseTable(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func parseTable(data []byte) (*Table, error) {
	if len(data) > maxTable {
		return nil, fmt.Errorf("larger than %d bytes", maxTable)
	}
	if err := uniqueKeys(json.NewDecoder(bytes.NewReader(data))); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	t := new(Table)
	if err := d.Decode(t); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text after the end of the table")
	}
	return t, t.compile()
}

// uniqueKeys refuses objects that name a member twice: the decoder would keep the last.
func uniqueKeys(d *json.Decoder) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := strings.ToLower(key.(string)) // which the decoder does not tell apart
			if seen[name] {
				return fmt.Errorf("%q is there twice in one object", key)
			}
			seen[name] = true
		}
		if err := uniqueKeys(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func (t *Table) compile() error {
	switch t.Audit {
	case "":
		t.Audit = "denied"
	case "denied", "all":
	default:
		return fmt.Errorf("audit %q: use denied or all", t.Audit)
	}
	if len(t.Services) == 0 {
		return errors.New("no services")
	}
	t.byHost = map[string]*Service{}
	for i, s := range t.Services {
		if s == nil {
			return fmt.Errorf("service %d is null", i+1)
		}
		if err := s.compile(); err != nil {
			return fmt.Errorf("service %q: %w", s.Name, err)
		}
		for _, h := range s.Hosts {
			h = strings.ToLower(h)
			if t.byHost[h] != nil {
				return fmt.Errorf("service %q: the host %s is there twice", s.Name, h)
			}
			t.byHost[h] = s
		}
	}
	return nil
}

func (s *Service) compile() error {
	if !isName(s.Name) {
		return errors.New("a name has lower-case letters, digits and hyphens")
	}
	if _, err := arn.ParseAccountID(string(s.Account)); err != nil {
		return fmt.Errorf("account %q: %w", s.Account, err)
	}
	if !isName(string(s.Region)) {
		return fmt.Errorf("%q is not a region", s.Region)
	}
	switch s.Signing {
	case "":
		s.Signing = "standard"
	case "standard", "s3":
	default:
		return fmt.Errorf("signing %q: use standard or s3", s.Signing)
	}
	if len(s.Hosts) == 0 || slices.Contains(s.Hosts, "") {
		return errors.New("hosts are missing")
	}
	for _, h := range s.Hosts {
		if strings.ContainsAny(h, ":/ ") {
			return fmt.Errorf("host %q: a name without scheme and port", h)
		}
	}
	if len(s.Rules) == 0 {
		return errors.New("no rules")
	}
	for i, r := range s.Rules {
		if r == nil {
			return fmt.Errorf("rule %d is null", i+1)
		}
		if err := r.compile(s); err != nil {
			return fmt.Errorf("rule %d (%s): %w", i+1, r.Action, err)
		}
	}
	return nil
}

func isName(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (r *Rule) compile(s *Service) (err error) {
	name, ok := strings.CutPrefix(r.Action, s.Name+":")
	if !ok || name == "" || strings.ContainsAny(name, "*?: ") {
		return fmt.Errorf("the action has the form %s:Name, without wildcards", s.Name)
	}
	for _, m := range r.Methods {
		if m == "" || m != strings.ToUpper(m) {
			return fmt.Errorf("method %q: upper-case, as it is sent", m)
		}
	}
	if r.pattern, err = parsePattern(r.Path); err != nil {
		return err
	}
	if r.Resource == "" {
		r.Resource = "*"
	}
	if r.resource, err = r.parseResource(s); err != nil {
		return err
	}
	for key, source := range r.Context {
		from, name, ok := strings.Cut(source, ":")
		if !ok || name == "" || from != "query" && from != "header" && from != "path" {
			return fmt.Errorf("context %s: %q is not query:NAME, header:NAME or path:NAME", key, source)
		}
		if from == "path" && !r.pattern.has(name) {
			return fmt.Errorf("context %s: the path has no {%s}", key, name)
		}
		if service, rest, ok := strings.Cut(key, ":"); !ok || rest == "" || strings.EqualFold(service, "aws") || strings.EqualFold(service, "sts") {
			return fmt.Errorf("context %s: a key has the form %s:Name; those of aws and sts are the server's", key, s.Name)
		}
		r.context = append(r.context, contextKey{key, from, name})
	}
	slices.SortFunc(r.context, func(a, b contextKey) int { return strings.Compare(a.key, b.key) })
	return nil
}
