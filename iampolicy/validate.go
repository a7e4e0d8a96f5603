package iampolicy

import (
	"fmt"
	"strconv"
	"strings"
)

// parseDocument reads text and checks it against the grammar of its kind. The order of
// the checks decides which of several faults is reported, and follows AWS's.
func parseDocument(text string, kind Kind) (*document, error) {
	n, err := readJSON(text)
	if err != nil {
		if kind.hasPrincipal() {
			return nil, &Error{msgTrustJSON, err.Error()}
		}
		return nil, &Error{msgSyntax, err.Error()}
	}
	d, shape := buildDocument(n)
	if kind.hasPrincipal() {
		if shape != nil {
			return nil, trustShape(shape)
		}
		return d, validatePrincipalKind(d, kind)
	}
	if shape != nil {
		return nil, &Error{msgSyntax, shape.detail}
	}
	return d, validateIdentity(d, kind)
}

func nth(i int) string { return fmt.Sprintf("statement %d", i+1) }

func validateIdentity(d *document, kind Kind) error {
	for i, s := range d.statements {
		switch {
		case !s.hasEffect:
			return &Error{msgSyntax, nth(i) + " has no Effect"}
		case !strings.EqualFold(s.effect, string(Allow)) && !strings.EqualFold(s.effect, string(Deny)):
			return &Error{msgSyntax, fmt.Sprintf("%s: Effect must be Allow or Deny, not %s", nth(i), strconv.Quote(clip(s.effect)))}
		}
	}
	if kind == Managed && d.version != Version2012 {
		return &Error{msgVersion2012, "a managed policy must say \"Version\": \"2012-10-17\""}
	}
	if err := validateLegacy(d); err != nil {
		return err
	}
	for i, s := range d.statements {
		if s.principal != nil {
			return &Error{msgPrincipalNotHere, nth(i) + " names a principal"}
		}
	}
	if err := validateSids(d, msgSidUnique, true); err != nil {
		return err
	}
	for i, s := range d.statements {
		if len(s.actions) == 0 {
			return &Error{msgNoActions, nth(i)}
		}
	}
	for i, s := range d.statements {
		for _, r := range s.resources {
			if p := checkResource(r); p.message != "" {
				return &Error{p.message, nth(i)}
			}
		}
	}
	for i, s := range d.statements {
		for _, a := range s.actions {
			if m := checkAction(a); m != "" {
				return &Error{m, fmt.Sprintf("%s: action %s", nth(i), strconv.Quote(clip(a)))}
			}
		}
	}
	for i, s := range d.statements {
		if len(s.resources) == 0 {
			return &Error{msgNoResources, nth(i)}
		}
	}
	return nil
}

// validateLegacy makes the checks behind "The policy failed legacy parsing": the case of
// Effect, date values, and resources whose colons cannot be an ARN's.
func validateLegacy(d *document) error {
	for i, s := range d.statements {
		if s.effect != string(Allow) && s.effect != string(Deny) {
			return &Error{msgLegacy, fmt.Sprintf("%s: Effect is case-sensitive: %s", nth(i), strconv.Quote(s.effect))}
		}
		if v, bad := badDate(s); bad {
			return &Error{msgLegacy, fmt.Sprintf("%s: %s is not a date", nth(i), strconv.Quote(clip(v)))}
		}
	}
	for i, s := range d.statements {
		for _, r := range s.resources {
			p := checkResource(r)
			if p.message != "" {
				return nil // another sentence is due, after the checks in between
			}
			if p.legacy {
				return &Error{msgLegacy, fmt.Sprintf("%s: resource %s", nth(i), strconv.Quote(clip(r)))}
			}
		}
	}
	return nil
}

func badDate(s *statementNode) (string, bool) {
	for _, op := range s.conditions {
		if o, _ := parseOperator(op.name); o.family != famDate {
			continue
		}
		for _, k := range op.keys {
			for _, v := range k.values {
				if _, ok := parseInstant(v); !ok {
					return v, true
				}
			}
		}
	}
	return "", false
}

// validateSids checks that statement ids are unique and, in identity policies, alphanumeric.
func validateSids(d *document, duplicate string, alphanumeric bool) error {
	seen := map[string]bool{}
	for i, s := range d.statements {
		if s.sid == "" {
			continue
		}
		if seen[s.sid] {
			return &Error{duplicate, fmt.Sprintf("%s repeats %s", nth(i), strconv.Quote(clip(s.sid)))}
		}
		seen[s.sid] = true
		if alphanumeric && !isAlphanumeric(s.sid) {
			return &Error{msgSidCharacters, nth(i)}
		}
	}
	return nil
}

func isAlphanumeric(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := lowerASCII(s[i]); (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// checkAction returns AWS's sentence for a malformed action, or "".
func checkAction(a string) string {
	if a == "*" {
		return ""
	}
	vendor, name, found := strings.Cut(a, ":")
	switch {
	case !found:
		return msgNoVendor
	case strings.Contains(name, ":"):
		return msgManyColons
	case vendor == "*":
		return ""
	}
	for i := 0; i < len(vendor); i++ {
		if c := vendor[i]; !isAlphanumeric(string(c)) && c != '-' && c != '.' {
			return "Vendor " + clip(vendor) + " is not valid"
		}
	}
	if vendor == "" {
		return "Vendor  is not valid"
	}
	return ""
}

// resourceProblem is what is wrong with a resource: a sentence, or a legacy parsing fault.
type resourceProblem struct {
	message string
	legacy  bool
}

// checkResource checks one Resource value.
func checkResource(r string) resourceProblem {
	if r == "*" {
		return resourceProblem{}
	}
	prefix, rest, found := strings.Cut(r, ":")
	if !found {
		return resourceProblem{message: `Resource ` + clip(r) + ` must be in ARN format or "*".`}
	}
	partition, rest, found := strings.Cut(rest, ":")
	switch {
	case !validPartition(partition) && partition != "*":
		return resourceProblem{message: fmt.Sprintf("Partition %q is not valid for resource %q.", clip(partition), clip(paddedARN(partition, rest)))}
	case prefix != "arn":
		return resourceProblem{message: `Resource ` + clip(r) + ` must be in ARN format or "*".`}
	case !found:
		return resourceProblem{message: msgVendorRegex}
	}
	service, rest, _ := strings.Cut(rest, ":")
	switch {
	case service == "" || (strings.Count(r, ":") < arnFields-1 && strings.Contains(r, "::")):
		return resourceProblem{legacy: true}
	case strings.ContainsAny(service, "*?"):
		return resourceProblem{message: msgVendorRegex}
	}
	region, rest, _ := strings.Cut(rest, ":")
	account, resource, _ := strings.Cut(rest, ":")
	switch {
	case service == "iam" && region != "":
		return resourceProblem{message: "IAM resource " + clip(r) + " cannot contain region information."}
	case service == "s3" && region != "" && account == "":
		// With an account it may be an access point, which is regional.
		return resourceProblem{message: "Resource " + clip(r) + " can not contain region information."}
	case service == "iam" && !validIAMPath(resource):
		return resourceProblem{message: msgIAMPath}
	}
	return resourceProblem{}
}

// paddedARN is a resource as AWS repeats it: after the partition four fields, "*" for
// those that are missing.
func paddedARN(partition, rest string) string {
	fields := strings.SplitN(rest, ":", 4)
	if rest == "" {
		fields = nil
	}
	for len(fields) < 4 {
		fields = append(fields, "*")
	}
	return "arn:" + partition + ":" + strings.Join(fields, ":")
}

// validIAMPath reports whether the resource part of an IAM ARN can name an IAM resource.
func validIAMPath(s string) bool {
	if s == "*" {
		return true
	}
	fixed := s
	wild := strings.IndexAny(s, "*?$")
	if wild >= 0 {
		fixed = s[:wild]
	}
	for _, kind := range [...]string{"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
		"policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"} {
		if strings.HasPrefix(s, kind) || (wild >= 0 && strings.HasPrefix(kind, fixed)) {
			return true
		}
	}
	return false
}
