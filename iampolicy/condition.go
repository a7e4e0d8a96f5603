package iampolicy

import (
	"net/netip"
	"strings"
)

// truth is the outcome of a comparison; unknown means that it could not be carried out.
type truth uint8

const (
	no truth = iota
	yes
	unknown
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case no:
		return yes
	case yes:
		return no
	}
	return unknown
}

// condition is one key under one operator: it holds when the key's value fits any of the
// policy's values, or none of them if the operator is negated.
type condition struct {
	operator
	key     contextKey
	strings []pattern // String and Bool operators
	numbers []decimal
	dates   []instant
	nets    []netip.Prefix
	arns    []arnPattern
	exact   []string // BinaryEquals
	absent  []bool   // Null
	bad     bool     // a policy value could not be read: a miss is unknown
}

func compileCondition(name string, n conditionNode, version Version) *condition {
	op, _ := parseOperator(name)
	c := &condition{operator: op, key: newContextKey(n.key)}
	variables := version == Version2012
	for _, v := range n.values {
		c.addValue(v, variables)
	}
	return c
}

func (c *condition) addValue(v string, variables bool) {
	ok := true
	switch c.family {
	case famString:
		c.strings = append(c.strings, compileExact(v, variables, false))
	case famStringFold:
		c.strings = append(c.strings, compileExact(v, variables, true))
	case famBool:
		p := compileExact(v, variables, true)
		c.strings = append(c.strings, p)
		_, ok = parseBool(v)
		ok = ok || p.hasVariables()
	case famStringLike:
		c.strings = append(c.strings, compilePattern(v, variables))
	case famNumeric:
		var d decimal
		if d, ok = parseDecimal(v); ok {
			c.numbers = append(c.numbers, d)
		}
	case famDate:
		var at instant
		if at, ok = parseInstant(v); ok {
			c.dates = append(c.dates, at)
		}
	case famBinary:
		// The encoded text is compared, as AWS's policy simulator was observed to do.
		c.exact = append(c.exact, v)
	case famIP:
		var p netip.Prefix
		if p, ok = parsePrefix(v); ok {
			c.nets = append(c.nets, p)
		}
	case famARN:
		c.arns = append(c.arns, compileARN(v, variables, inCondition))
	case famNull:
		var b bool
		if b, ok = parseBool(v); ok {
			c.absent = append(c.absent, b)
		}
	}
	c.bad = c.bad || !ok
}

// applies reports whether the condition lets a statement of the given effect apply: what
// cannot be decided stops an Allow and does not stop a Deny.
func (c *condition) applies(ctx *Context, deny bool) bool {
	t := c.eval(ctx)
	return t == yes || (t == unknown && deny)
}

func (c *condition) eval(ctx *Context) truth {
	e := ctx.find(&c.key)
	missing := e == nil || e.count == 0
	if c.family == famNull {
		return c.evalNull(missing)
	}
	if missing {
		switch {
		case c.ifExists || c.set == setAll:
			return yes
		case c.set == setAny:
			return no
		}
		return truthOf(c.negated)
	}
	values := ctx.values[e.from : e.from+e.count]
	switch {
	case c.set == setAll:
		return c.evalAll(values, ctx)
	case c.set == setAny:
		return c.evalAny(values, ctx)
	case len(values) == 1:
		return c.evalOne(values[0], ctx)
	}
	// Several values need a set operator; AWS leaves open what happens without one.
	if c.evalEach(values, ctx) == no {
		return no
	}
	return unknown
}

func (c *condition) evalNull(missing bool) truth {
	for _, want := range c.absent {
		if want == missing {
			return yes
		}
	}
	if c.bad {
		return unknown
	}
	return no
}

// evalAll: every value fits; an empty string alone counts as no value.
func (c *condition) evalAll(values []string, ctx *Context) truth {
	if len(values) == 1 && values[0] == "" {
		return yes
	}
	result := yes
	for _, v := range values {
		switch c.evalOne(v, ctx) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

// evalAny: at least one value fits; an empty string alone counts as no value.
func (c *condition) evalAny(values []string, ctx *Context) truth {
	if len(values) == 1 && values[0] == "" {
		return no
	}
	return c.evalEach(values, ctx)
}

func (c *condition) evalEach(values []string, ctx *Context) truth {
	result := no
	for _, v := range values {
		switch c.evalOne(v, ctx) {
		case yes:
			return yes
		case unknown:
			result = unknown
		}
	}
	return result
}

func (c *condition) evalOne(v string, ctx *Context) truth {
	t := c.matchAny(v, ctx)
	if c.negated {
		return t.not()
	}
	return t
}

// matchAny compares one request value with the policy's values, without negation.
func (c *condition) matchAny(v string, ctx *Context) truth {
	readable := true
	switch c.family {
	case famString, famStringFold, famStringLike:
		for i := range c.strings {
			if ok, _ := c.strings[i].match(v, ctx); ok {
				return yes
			}
		}
	case famBool:
		_, readable = parseBool(v)
		for i := range c.strings {
			if ok, _ := c.strings[i].match(v, ctx); ok && readable {
				return yes
			}
		}
	case famNumeric:
		var d decimal
		d, readable = parseDecimal(v)
		for i := range c.numbers {
			if readable && c.compare.holds(compareDecimals(d, c.numbers[i])) {
				return yes
			}
		}
	case famDate:
		var at instant
		at, readable = parseInstant(v)
		for i := range c.dates {
			if readable && c.compare.holds(compareInstants(at, c.dates[i])) {
				return yes
			}
		}
	case famBinary:
		for _, want := range c.exact {
			if v == want {
				return yes
			}
		}
	case famIP:
		return c.matchIP(v)
	case famARN:
		var t target
		t.set(v)
		for i := range c.arns {
			if ok, _ := c.arns[i].match(&t, ctx); ok {
				return yes
			}
		}
	}
	if !readable || c.bad {
		return unknown
	}
	return no
}

func (c *condition) matchIP(v string) truth {
	ip, err := netip.ParseAddr(v)
	if err != nil || ip.Zone() != "" {
		return unknown
	}
	ip = ip.Unmap()
	for _, n := range c.nets {
		if n.Contains(ip) {
			return yes
		}
	}
	if c.bad {
		return unknown
	}
	return no
}

// parsePrefix reads an address or a CIDR block; IPv4-mapped IPv6 counts as IPv4.
func parsePrefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, false
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

func parseBool(s string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}
