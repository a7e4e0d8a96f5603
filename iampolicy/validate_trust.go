package iampolicy

import (
	"fmt"
	"strconv"
	"strings"
)

// trustShape words a malformed document for policies that name principals.
func trustShape(e *shapeError) error {
	switch e.field {
	case "":
		return &Error{msgTrustJSON, e.detail}
	case "Version":
		return &Error{msgTrustVersion, e.detail}
	case "Statement":
		return &Error{msgTrustEmpty, e.detail}
	}
	return &Error{msgTrustSyntax, e.detail}
}

// validatePrincipalKind checks trust and resource-based policies.
func validatePrincipalKind(d *document, kind Kind) error {
	for i, s := range d.statements {
		if err := validateTrustStatement(s, kind, nth(i)); err != nil {
			return err
		}
	}
	return validateSids(d, msgTrustSidUnique, false)
}

func validateTrustStatement(s *statementNode, kind Kind, where string) error {
	switch {
	case !s.hasEffect:
		return &Error{missingField("Effect"), where}
	case s.effect != string(Allow) && s.effect != string(Deny):
		return &Error{"Invalid effect: " + clip(s.effect), where}
	}
	if err := validatePrincipalElement(s, kind, where); err != nil {
		return err
	}
	if v, bad := badDate(s); bad {
		return &Error{msgTrustSyntax, fmt.Sprintf("%s: %s is not a date", where, strconv.Quote(clip(v)))}
	}
	if len(s.actions) == 0 {
		return &Error{missingField("Action"), where}
	}
	if kind == Trust {
		return validateTrustActions(s, where)
	}
	for _, a := range s.actions {
		if m := checkAction(a); m != "" {
			return &Error{"Policy has invalid action", fmt.Sprintf("%s: %s", where, m)}
		}
	}
	if len(s.resources) == 0 {
		return &Error{missingField("Resource"), where}
	}
	for _, r := range s.resources {
		if p := checkResource(r); p.message != "" || p.legacy {
			return &Error{"Policy has invalid resource", fmt.Sprintf("%s: %s", where, strconv.Quote(clip(r)))}
		}
	}
	return nil
}

func validatePrincipalElement(s *statementNode, kind Kind, where string) error {
	switch {
	case s.principal == nil:
		return &Error{missingField("Principal"), where}
	case s.notPrinc && s.effect == string(Allow):
		return &Error{msgAllowNotPrincipal, where}
	case s.notPrinc && kind == Trust:
		return &Error{msgTrustNotPrincipal, where}
	case s.principal.any && kind == Trust:
		return &Error{msgTrustPrincipal, where + `: write {"AWS": "*"} for everyone`}
	case s.principal.any:
		return nil
	}
	n := 0
	for _, g := range s.principal.groups {
		n += len(g.values)
	}
	if n == 0 {
		return &Error{msgTrustNoPrincipal, where}
	}
	return nil
}

// validateTrustActions: a trust policy speaks of STS actions on the role it belongs to.
func validateTrustActions(s *statementNode, where string) error {
	for _, a := range s.actions {
		vendor, name, found := strings.Cut(a, ":")
		if !found || !strings.EqualFold(vendor, "sts") || strings.Contains(name, ":") {
			return &Error{msgTrustAction, fmt.Sprintf("%s: %s", where, strconv.Quote(clip(a)))}
		}
	}
	switch {
	case s.notRes:
		return &Error{msgTrustNotResource, where}
	case s.hasRes:
		return &Error{msgTrustResource, where}
	}
	return nil
}
