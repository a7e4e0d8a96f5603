package main

import (
	"go/token"
	"strconv"
	"strings"
)

func shapeVar(name string) string { return "shape" + export(name) + lowerMark(name) }

// lowerMark keeps apart shapes that differ in the case of the first letter only.
func lowerMark(name string) string {
	if name[0] >= 'a' && name[0] <= 'z' {
		return "_"
	}
	return ""
}

func export(name string) string {
	name = strings.ReplaceAll(name, "_", "")
	n := strings.ToUpper(name[:1]) + name[1:]
	if token.IsKeyword(n) {
		return n + "_"
	}
	return n
}

// camel turns an enum value into the tail of a Go name.
func camel(v string) string {
	var b strings.Builder
	up := true
	shout := v == strings.ToUpper(v)
	for _, r := range v {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			s := string(r)
			if up {
				s = strings.ToUpper(s)
			} else if shout {
				s = strings.ToLower(s)
			}
			b.WriteString(s)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}

// packageName is a service's name without what Go does not allow in one: acm-pca becomes acmpca.
func packageName(service string) string { return strings.ReplaceAll(service, "-", "") }

func quote(s string) string {
	if strings.Contains(s, "`") {
		return strconv.Quote(s)
	}
	return "`" + s + "`"
}
