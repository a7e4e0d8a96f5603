package iampolicy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The generators draw from small alphabets, so that statements and requests meet often.

func genList(g *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		values := rapid.SliceOfN(g, 1, 3).Draw(t, "values")
		return `["` + strings.Join(values, `","`) + `"]`
	})
}

var (
	genAction    = rapid.SampledFrom([]string{"*", "s3:*", "s3:Get*", "s3:GetObject", "S3:putobject", "s3:?etObject", "iam:*", "sts:AssumeRole"})
	genResource  = rapid.SampledFrom([]string{"*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/a", "arn:aws:s3:::${aws:username}/*", "arn:aws:s3:::d*/?", "arn:aws:s3:::${aws:PrincipalTag/x509Issuer/CN, 'data'}/*", "arn:aws:sqs:*"})
	genPrincipal = rapid.SampledFrom([]string{`"*"`, `{"AWS":"*"}`, `{"AWS":"` + acct + `"}`, `{"AWS":"` + roleARN + `"}`, `{"AWS":"` + userARN + `"}`, `{"AWS":"` + sessARN + `"}`, `{"Service":"s3.amazonaws.com"}`, `{"AWS":["` + otherAcct + `","` + userARN + `"]}`})
	genValue     = rapid.SampledFrom([]string{"a", "b", "A", "*", "a*", "1", "2.5", "true", "false", "10.0.0.0/8", "10.1.1.1", "2024-01-01T00:00:00Z", "arn:aws:s3:::data/*", "arn:aws:s3:::data/a", "${aws:username}", "${missing, 'a'}", ""})
	genKey       = rapid.SampledFrom([]string{"aws:username", "aws:SourceIp", "aws:CurrentTime", "k:one", "k:two", "k:multi", "aws:PrincipalTag/x509Issuer/CN", "aws:PrincipalArn", "aws:SourceArn"})
	genOperator  = rapid.SampledFrom([]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike", "NumericEquals", "NumericLessThan", "NumericNotEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnLike", "ArnNotLike", "Null"})
)

func genCondition(t *rapid.T) string {
	op := genOperator.Draw(t, "operator")
	if op != "Null" {
		op = rapid.SampledFrom([]string{"", "", "ForAllValues:", "ForAnyValue:"}).Draw(t, "prefix") + op
		op += rapid.SampledFrom([]string{"", "", "IfExists"}).Draw(t, "suffix")
	}
	return `{"` + op + `":{"` + genKey.Draw(t, "key") + `":` + genList(genValue).Draw(t, "values") + `}}`
}

func genStatement(t *rapid.T, effect string, principals bool) string {
	s := `{"Effect":"` + effect + `"`
	if principals {
		element := `,"Principal":`
		if effect == "Deny" && rapid.Bool().Draw(t, "notPrincipal") {
			element = `,"NotPrincipal":`
		}
		s += element + genPrincipal.Draw(t, "principal")
	}
	not := func(name string) string {
		if rapid.IntRange(0, 4).Draw(t, "not"+name) == 0 {
			return `,"Not` + name + `":`
		}
		return `,"` + name + `":`
	}
	s += not("Action") + genList(genAction).Draw(t, "action")
	s += not("Resource") + genList(genResource).Draw(t, "resource")
	if rapid.Bool().Draw(t, "conditional") {
		s += `,"Condition":` + genCondition(t)
	}
	return s + `}`
}

func genStatements(t *rapid.T, principals bool) []string {
	var out []string
	for range rapid.IntRange(1, 4).Draw(t, "statements") {
		effect := rapid.SampledFrom([]string{"Allow", "Allow", "Allow", "Deny"}).Draw(t, "effect")
		out = append(out, genStatement(t, effect, principals))
	}
	return out
}

// parts is a policy set as text, so that properties can change it.
type parts struct {
	identity [][]string
	boundary []string
	session  []string
	resource []string
	account  string
}

func drawParts(t *rapid.T) *parts {
	p := &parts{account: rapid.SampledFrom([]string{"", acct, otherAcct}).Draw(t, "resource account")}
	for range rapid.IntRange(0, 2).Draw(t, "identity policies") {
		p.identity = append(p.identity, genStatements(t, false))
	}
	optional := func(principals bool) []string {
		if rapid.IntRange(0, 2).Draw(t, "present") == 0 {
			return genStatements(t, principals)
		}
		return nil
	}
	p.boundary, p.session, p.resource = optional(false), optional(false), optional(true)
	return p
}

func (p *parts) set(t *rapid.T, parse func(text string, kind Kind) *Policy) *Set {
	s := &Set{ResourceAccount: p.account}
	text := func(statements []string) string { return wrap(strings.Join(statements, ",")) }
	for _, statements := range p.identity {
		s.Identity = append(s.Identity, parse(text(statements), Identity))
	}
	if p.boundary != nil {
		s.Boundary, s.HasBoundary = parse(text(p.boundary), Boundary), true
	}
	if p.session != nil {
		s.Session, s.HasSession = []*Policy{parse(text(p.session), Session)}, true
	}
	if p.resource != nil {
		s.Resource = parse(text(p.resource), Resource)
	}
	return s
}

func parseIn(t *rapid.T) func(string, Kind) *Policy {
	return func(text string, kind Kind) *Policy {
		p, err := Parse(text, kind)
		if err != nil {
			t.Fatalf("Parse(%s): %v", text, err)
		}
		return p
	}
}

func drawRequest(t *rapid.T) *Request {
	ctx := NewContext(4)
	for range rapid.IntRange(0, 5).Draw(t, "keys") {
		key := genKey.Draw(t, "key")
		if key == "k:multi" {
			ctx.SetMulti(key, rapid.SliceOfN(genValue, 0, 3).Draw(t, "multi")...)
		} else {
			ctx.Set(key, genValue.Draw(t, "value"))
		}
	}
	who := rapid.SampledFrom([]*Principal{user(), session(), root(), service("s3.amazonaws.com"), {Anonymous: true}, nil}).Draw(t, "principal")
	return &Request{
		Action:    rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "iam:GetUser", "sts:AssumeRole"}).Draw(t, "action"),
		Resource:  rapid.SampledFrom([]string{"*", "arn:aws:s3:::data/a", "arn:aws:s3:::a/b", "arn:aws:s3:::dx/y", "arn:aws:sqs:r:1:q"}).Draw(t, "resource"),
		Principal: who, Context: ctx,
	}
}

func TestDenyNeverAllowsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, req := drawParts(t), drawRequest(t)
		before := Evaluate(p.set(t, parseIn(t)), req)
		switch where := rapid.IntRange(0, 3).Draw(t, "where"); {
		case where == 0 && p.resource != nil:
			p.resource = append(p.resource, genStatement(t, "Deny", true))
		case where == 1 && p.boundary != nil:
			p.boundary = append(p.boundary, genStatement(t, "Deny", false))
		case where == 2 && p.session != nil:
			p.session = append(p.session, genStatement(t, "Deny", false))
		default:
			p.identity = append(p.identity, []string{genStatement(t, "Deny", false)})
		}
		if after := Evaluate(p.set(t, parseIn(t)), req); after.Allowed && !before.Allowed {
			t.Fatalf("a Deny allowed more: %s became %s", before.Explain(), after.Explain())
		}
	})
}

func TestLimitNeverAllowsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, req := drawParts(t), drawRequest(t)
		p.boundary, p.session = nil, nil
		before := Evaluate(p.set(t, parseIn(t)), req)
		if rapid.Bool().Draw(t, "boundary") {
			p.boundary = genStatements(t, false)
		} else {
			p.session = genStatements(t, false)
		}
		if after := Evaluate(p.set(t, parseIn(t)), req); after.Allowed && !before.Allowed {
			t.Fatalf("a limit allowed more: %s became %s", before.Explain(), after.Explain())
		}
	})
}

func TestStatementOrderNeverMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, req := drawParts(t), drawRequest(t)
		before := Evaluate(p.set(t, parseIn(t)), req)
		shuffle := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle
		for _, list := range append([][]string{p.boundary, p.session, p.resource}, p.identity...) {
			shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		shuffle(len(p.identity), func(i, j int) { p.identity[i], p.identity[j] = p.identity[j], p.identity[i] })
		after := Evaluate(p.set(t, parseIn(t)), req)
		if after.Allowed != before.Allowed || after.Explicit != before.Explicit || (after.By != before.By && !after.Allowed) {
			t.Fatalf("order mattered: %s became %s", before.Explain(), after.Explain())
		}
	})
}

func TestPrintedPolicyDecidesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, req := drawParts(t), drawRequest(t)
		before := Evaluate(p.set(t, parseIn(t)), req)
		again := p.set(t, func(text string, kind Kind) *Policy {
			first := parseIn(t)(text, kind)
			second := parseIn(t)(first.String(), kind)
			if first.String() != second.String() {
				t.Fatalf("printing is not stable: %s", first)
			}
			return second
		})
		after := Evaluate(again, req)
		if after.Explain() != before.Explain() {
			t.Fatalf("printed and parsed: %s became %s", before.Explain(), after.Explain())
		}
	})
}

// TestPropertiesSeeBothAnswers guards the properties against generators that never allow.
func TestPropertiesSeeBothAnswers(t *testing.T) {
	allowed, explicit, total := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := Evaluate(drawParts(t).set(t, parseIn(t)), drawRequest(t))
		total++
		if d.Allowed {
			allowed++
		}
		if d.Explicit {
			explicit++
		}
	})
	if allowed == 0 || explicit == 0 || allowed+explicit == total {
		t.Errorf("%d allowed, %d explicitly denied of %d", allowed, explicit, total)
	}
}
