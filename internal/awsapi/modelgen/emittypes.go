package main

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// types writes the structures.
func (g *gen) types(b *bytes.Buffer) error {
	var body bytes.Buffer
	usesTime := false
	for _, n := range g.sortedShapes() {
		s := g.m.Shapes[n]
		if s.Type != "structure" {
			continue
		}
		fmt.Fprintf(&body, "// %s is the model's %s.\ntype %s struct {\n", g.goName[n], n, g.goName[n])
		for _, m := range s.Members {
			t := g.goType(m.ref.Shape, true)
			usesTime = usesTime || strings.Contains(t, "time.")
			note := ""
			if slices.Contains(s.Required, m.name) {
				note = " // required"
			}
			fmt.Fprintf(&body, "%s %s%s\n", export(m.name), t, note)
		}
		body.WriteString("}\n\n")
	}
	for _, a := range g.aliases {
		fmt.Fprintf(&body, "// %s shares its members with other operations.\ntype %s = %s\n\n", a[0], a[0], a[1])
	}
	for _, e := range g.empty {
		fmt.Fprintf(&body, "// %s has no members.\ntype %s struct{}\n\n", e, e)
	}
	if usesTime {
		g.header(b, "time")
	} else {
		g.header(b)
	}
	b.Write(body.Bytes())
	return nil
}

// goType is the Go type of a shape; a scalar that is a member is a pointer.
func (g *gen) goType(name string, member bool) string {
	s := g.m.Shapes[name]
	star := ""
	if member {
		star = "*"
	}
	switch s.Type {
	case "structure":
		return star + g.goName[name]
	case "list":
		return "[]" + g.goType(s.Member.Shape, false)
	case "map":
		return "map[string]" + g.goType(s.Value.Shape, false)
	case "string":
		if len(s.Enum) > 0 {
			return star + g.goName[name]
		}
		return star + "string"
	case "boolean":
		return star + "bool"
	case "integer":
		return star + "int32"
	case "long":
		return star + "int64"
	case "float":
		return star + "float32"
	case "double":
		return star + "float64"
	case "timestamp":
		return star + "time.Time"
	default:
		return "[]byte"
	}
}

// enums writes a named string type per enumeration.
func (g *gen) enums(b *bytes.Buffer) error {
	g.header(b)
	for _, n := range g.sortedShapes() {
		s := g.m.Shapes[n]
		if len(s.Enum) == 0 {
			continue
		}
		t := g.goName[n]
		fmt.Fprintf(b, "// %s is the model's %s.\ntype %s string\n\n// Values of %s.\nconst (\n", t, n, t, t)
		for _, v := range s.Enum {
			fmt.Fprintf(b, "%s%s %s = %q\n", t, camel(v), t, v)
		}
		b.WriteString(")\n\n")
	}
	return nil
}

// errors writes a constructor per modelled error.
func (g *gen) errors(b *bytes.Buffer) error {
	g.header(b, "github.com/rolecall/rolecall/internal/awsapi")
	names := make([]string, 0, len(g.errs))
	for n := range g.errs {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		code, status := n, 400
		if e := g.m.Shapes[n].Error; e != nil {
			if e.Code != "" {
				code = e.Code
			}
			if e.HTTPStatusCode != 0 {
				status = e.HTTPStatusCode
			}
		}
		fmt.Fprintf(b, "// %s answers %s with status %d.\nfunc %s(format string, args ...any) *awsapi.Error {\n\treturn awsapi.Errorf(%q, %d, format, args...)\n}\n\n",
			export(n), code, status, export(n), code, status)
	}
	return nil
}
