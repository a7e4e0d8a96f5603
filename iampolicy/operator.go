package iampolicy

import "strings"

// operator is a condition operator with its prefix and suffix taken off.
type operator struct {
	family   family
	compare  comparison
	negated  bool
	ifExists bool
	set      setMode
}

type family uint8

const (
	famString family = iota
	famStringFold
	famStringLike
	famNumeric
	famDate
	famBool
	famBinary
	famIP
	famARN
	famNull
)

// comparison orders numbers and dates.
type comparison uint8

const (
	cmpEqual comparison = iota
	cmpLess
	cmpLessEqual
	cmpGreater
	cmpGreaterEqual
)

// setMode is how a multivalued key is compared.
type setMode uint8

const (
	setNone setMode = iota
	setAll          // ForAllValues:
	setAny          // ForAnyValue:
)

// parseOperator reads an operator's name, which is case-sensitive.
func parseOperator(name string) (operator, bool) {
	var set setMode
	if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
		name, set = rest, setAll
	} else if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
		name, set = rest, setAny
	}
	base, ifExists := strings.CutSuffix(name, "IfExists")
	op, ok := baseOperator(base)
	if !ok || (op.family == famNull && (ifExists || set != setNone)) {
		return operator{}, false
	}
	op.set, op.ifExists = set, ifExists
	return op, true
}

func baseOperator(name string) (operator, bool) {
	switch name {
	case "StringEquals":
		return operator{family: famString}, true
	case "StringNotEquals":
		return operator{family: famString, negated: true}, true
	case "StringEqualsIgnoreCase":
		return operator{family: famStringFold}, true
	case "StringNotEqualsIgnoreCase":
		return operator{family: famStringFold, negated: true}, true
	case "StringLike":
		return operator{family: famStringLike}, true
	case "StringNotLike":
		return operator{family: famStringLike, negated: true}, true
	case "Bool":
		return operator{family: famBool}, true
	case "BinaryEquals":
		return operator{family: famBinary}, true
	case "IpAddress":
		return operator{family: famIP}, true
	case "NotIpAddress":
		return operator{family: famIP, negated: true}, true
	case "ArnEquals", "ArnLike": // the two behave alike
		return operator{family: famARN}, true
	case "ArnNotEquals", "ArnNotLike":
		return operator{family: famARN, negated: true}, true
	case "Null":
		return operator{family: famNull}, true
	}
	if rest, ok := strings.CutPrefix(name, "Numeric"); ok {
		return ordered(famNumeric, rest)
	}
	if rest, ok := strings.CutPrefix(name, "Date"); ok {
		return ordered(famDate, rest)
	}
	return operator{}, false
}

func ordered(f family, name string) (operator, bool) {
	switch name {
	case "Equals":
		return operator{family: f}, true
	case "NotEquals":
		return operator{family: f, negated: true}, true
	case "LessThan":
		return operator{family: f, compare: cmpLess}, true
	case "LessThanEquals":
		return operator{family: f, compare: cmpLessEqual}, true
	case "GreaterThan":
		return operator{family: f, compare: cmpGreater}, true
	case "GreaterThanEquals":
		return operator{family: f, compare: cmpGreaterEqual}, true
	}
	return operator{}, false
}

// holds applies the comparison to the sign of value minus policy value.
func (c comparison) holds(sign int) bool {
	switch c {
	case cmpLess:
		return sign < 0
	case cmpLessEqual:
		return sign <= 0
	case cmpGreater:
		return sign > 0
	case cmpGreaterEqual:
		return sign >= 0
	}
	return sign == 0
}
