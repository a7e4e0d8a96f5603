package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

var kinds = map[string]string{
	"structure": "Structure", "list": "List", "map": "Map", "string": "String", "boolean": "Boolean", "integer": "Integer",
	"long": "Long", "float": "Float", "double": "Double", "blob": "Blob", "timestamp": "Timestamp",
}

// shapes writes the constraint tables.
func (g *gen) shapes(b *bytes.Buffer) error {
	g.header(b, "github.com/rolecall/rolecall/internal/awsapi/wire")
	b.WriteString("var (\n")
	for _, n := range g.sortedShapes() {
		s := g.m.Shapes[n]
		kind, ok := kinds[s.Type]
		if !ok {
			return fmt.Errorf("shape %s: type %q", n, s.Type)
		}
		if s.Pattern != "" {
			if p, err := wire.CompilePattern(s.Pattern); err != nil || !p.Usable() {
				return fmt.Errorf("shape %s: the pattern %q cannot be used: %v", n, s.Pattern, err)
			}
		}
		fmt.Fprintf(b, "%s = &wire.Shape{Name: %q, Kind: wire.%s", shapeVar(n), n, kind)
		g.traits(b, s)
		if s.Type == "structure" && len(s.Members) > 0 {
			b.WriteString(", Members: []wire.Member{\n")
			for _, m := range s.Members {
				fmt.Fprintf(b, "{Name: %q, Field: %q, Shape: %s", m.name, export(m.name), shapeVar(m.ref.Shape))
				if m.ref.TimestampFormat != "" {
					return fmt.Errorf("shape %s: member %s has its own timestamp format", n, m.name)
				}
				if slices.Contains(s.Required, m.name) {
					b.WriteString(", Required: true")
				}
				if secretMember(m.name) {
					b.WriteString(", Sensitive: true")
				}
				if m.ref.Location != "" {
					loc, ok := locations[m.ref.Location]
					if !ok {
						return fmt.Errorf("shape %s: location %q", n, m.ref.Location)
					}
					b.WriteString(", In: wire." + loc)
				}
				if m.ref.LocationName != "" && m.ref.LocationName != m.name {
					fmt.Fprintf(b, ", WireName: %q", m.ref.LocationName)
				}
				b.WriteString("},\n")
			}
			b.WriteString("}")
		}
		b.WriteString("}\n")
	}
	b.WriteString(")\n")
	return nil
}

// secretMember names what must not reach an audit event although the models do not mark it.
func secretMember(name string) bool {
	return strings.EqualFold(name, "secretAccessKey") || strings.EqualFold(name, "sessionToken")
}

var locations = map[string]string{"uri": "InURI", "querystring": "InQueryString", "header": "InHeader"}

// traits writes what a shape has beside its members.
func (g *gen) traits(b *bytes.Buffer, s *shape) {
	switch s.Type {
	case "list":
		fmt.Fprintf(b, ", Elem: %s", shapeVar(s.Member.Shape))
		if s.Member.LocationName != "" && s.Member.LocationName != "member" {
			fmt.Fprintf(b, ", ElemName: %q", s.Member.LocationName)
		}
	case "map":
		fmt.Fprintf(b, ", Key: %s, Elem: %s", shapeVar(s.Key.Shape), shapeVar(s.Value.Shape))
	}
	if s.Min != nil {
		fmt.Fprintf(b, ", Min: wire.At(%d)", *s.Min)
	}
	if s.Max != nil {
		fmt.Fprintf(b, ", Max: wire.At(%d)", *s.Max)
	}
	if s.Pattern != "" {
		fmt.Fprintf(b, ", Pattern: %s", quote(s.Pattern))
	}
	if len(s.Enum) > 0 {
		fmt.Fprintf(b, ", Enum: %#v", s.Enum)
	}
	if s.Union {
		b.WriteString(", Union: true")
	}
	if s.Flattened {
		b.WriteString(", Flattened: true")
	}
	if s.Sensitive {
		b.WriteString(", Sensitive: true")
	}
	if s.TimestampFormat != "" {
		fmt.Fprintf(b, ", Format: %q", s.TimestampFormat)
	}
}
