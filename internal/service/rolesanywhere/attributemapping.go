package rolesanywhere

import (
	"context"
	"slices"

	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/certattr"
	"github.com/rolecall/rolecall/internal/store"
)

// defaultMappings are what every new profile starts with.
func defaultMappings() []store.AttributeMapping {
	var out []store.AttributeMapping
	for _, m := range certattr.Defaults() {
		out = append(out, store.AttributeMapping(m))
	}
	return out
}

func mappingDetails(mappings []store.AttributeMapping) []ra.AttributeMapping {
	out := make([]ra.AttributeMapping, len(mappings))
	for i, m := range mappings {
		out[i] = ra.AttributeMapping{CertificateField: new(ra.CertificateField(m.CertificateField)), MappingRules: make([]ra.MappingRule, len(m.Specifiers))}
		for j, s := range m.Specifiers {
			out[i].MappingRules[j] = ra.MappingRule{Specifier: new(s)}
		}
	}
	return out
}

// normalMapping checks specifiers and brings them into their stored form.
func normalMapping(field ra.CertificateField, specifiers []string) (store.AttributeMapping, error) {
	m, err := certattr.Normalise(certattr.Mapping{CertificateField: string(field), Specifiers: specifiers})
	if err != nil {
		return store.AttributeMapping{}, ra.ValidationException("Invalid mapping rule: %v", err)
	}
	return store.AttributeMapping(m), nil
}

func indexMapping(mappings []store.AttributeMapping, field ra.CertificateField) int {
	return slices.IndexFunc(mappings, func(m store.AttributeMapping) bool { return m.CertificateField == string(field) })
}

// putAttributeMapping replaces the rules of one certificate field. The documentation does not say whether it replaces or
// adds; an idempotent PUT that narrows "*" to a few attributes only makes sense if it replaces.
func putAttributeMapping(_ context.Context, call *awsapi.Call, in *ra.PutAttributeMappingInput) (*ra.PutAttributeMappingOutput, error) {
	if len(in.MappingRules) == 0 {
		return nil, ra.ValidationException("At least one mapping rule is required. DeleteAttributeMapping removes the rules of a certificate field")
	}
	specifiers := make([]string, len(in.MappingRules))
	for i, r := range in.MappingRules {
		specifiers[i] = *r.Specifier
	}
	mapping, err := normalMapping(*in.CertificateField, specifiers)
	if err != nil {
		return nil, err
	}
	d, err := changeProfile(call, *in.ProfileId, func(p *store.Profile) error {
		if i := indexMapping(p.Mappings, *in.CertificateField); i >= 0 {
			p.Mappings[i] = mapping
			return nil
		}
		p.Mappings = insertMapping(p.Mappings, mapping)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ra.PutAttributeMappingOutput{Profile: d}, nil
}

// insertMapping adds the mapping of a field that has none, in the order of the defaults, which decides the order of tags.
func insertMapping(mappings []store.AttributeMapping, m store.AttributeMapping) []store.AttributeMapping {
	order := func(field string) int {
		return slices.IndexFunc(certattr.Defaults(), func(d certattr.Mapping) bool { return d.CertificateField == field })
	}
	at := slices.IndexFunc(mappings, func(have store.AttributeMapping) bool {
		return order(have.CertificateField) > order(m.CertificateField)
	})
	if at < 0 {
		at = len(mappings)
	}
	return slices.Insert(mappings, at, m)
}

// deleteAttributeMapping removes the named rules of a field, or without specifiers all of them. Rules that are not there
// are passed over, so that it can be repeated; but one that a wildcard goes on mapping is refused, because the caller
// would believe it gone.
func deleteAttributeMapping(_ context.Context, call *awsapi.Call, in *ra.DeleteAttributeMappingInput) (*ra.DeleteAttributeMappingOutput, error) {
	drop, err := normalMapping(*in.CertificateField, in.Specifiers)
	if err != nil {
		return nil, err
	}
	d, err := changeProfile(call, *in.ProfileId, func(p *store.Profile) error {
		i := indexMapping(p.Mappings, *in.CertificateField)
		if i < 0 {
			return nil
		}
		if len(in.Specifiers) == 0 {
			p.Mappings = slices.Delete(p.Mappings, i, i+1)
			return nil
		}
		m := &p.Mappings[i]
		m.Specifiers = slices.DeleteFunc(m.Specifiers, func(s string) bool { return slices.Contains(drop.Specifiers, s) })
		for _, s := range drop.Specifiers {
			if w := wildcardOver(s); slices.Contains(m.Specifiers, w) {
				return ra.ValidationException("Specifier %s of %s stays mapped by %s: replace the rules with PutAttributeMapping", s, m.CertificateField, w)
			}
		}
		if len(m.Specifiers) == 0 {
			p.Mappings = slices.Delete(p.Mappings, i, i+1)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ra.DeleteAttributeMappingOutput{Profile: d}, nil
}

// wildcardOver is the specifier that maps everything a normalised one does, and more; "" if there is none.
func wildcardOver(specifier string) string {
	switch {
	case specifier == "DNS" || specifier == "URI":
		return ""
	case len(specifier) > 5 && specifier[:5] == "Name/":
		return "Name/*"
	}
	return "*"
}
