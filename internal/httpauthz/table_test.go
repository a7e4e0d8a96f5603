package httpauthz

import (
	"strings"
	"testing"
)

const ordersTable = `{
  "audit": "all",
  "services": [{
    "name": "orders", "hosts": ["orders.example.com"], "account": "123456789012", "region": "eu-central-1",
    "rules": [
      {"methods": ["GET"], "path": "/v1/orders", "action": "orders:ListOrders", "context": {"orders:Status": "query:status"}},
      {"methods": ["GET"], "path": "/v1/orders/{order}", "action": "orders:GetOrder", "resource": "arn:aws:orders:{region}:{account}:order/{order}"},
      {"methods": ["PUT"], "path": "/v1/orders/{order}", "action": "orders:PutOrder", "resource": "arn:aws:orders:{region}:{account}:order/{order}",
       "context": {"orders:Priority": "header:X-Amz-Meta-Priority", "orders:Order": "path:order"}},
      {"path": "/files/{file...}", "action": "orders:GetFile", "resource": "arn:aws:orders:{region}:{account}:file/{file}"},
      {"methods": ["POST"], "path": "/", "target": "Orders.Purge", "action": "orders:Purge"}
    ]
  }]
}`

func TestTableRefuses(t *testing.T) {
	if _, err := parseTable([]byte(ordersTable)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"audit": "all"`, `"audit": "some"`, "use denied or all"},
		{`"audit": "all"`, `"audits": "all"`, "unknown field"},
		{`"audit": "all"`, `"audit": "all", "Audit": "denied"`, "twice"},
		{`"name": "orders"`, `"name": "Orders"`, "lower-case"},
		{`"account": "123456789012"`, `"account": "12"`, "12 digits"},
		{`"region": "eu-central-1"`, `"region": "*"`, "not a region"},
		{`["orders.example.com"]`, `[]`, "hosts are missing"},
		{`["orders.example.com"]`, `["orders.example.com:8443"]`, "without scheme and port"},
		{`["orders.example.com"]`, `["a.example", "A.example"]`, "twice"},
		{`"orders:ListOrders"`, `"orders:List*"`, "without wildcards"},
		{`"orders:ListOrders"`, `"iam:ListOrders"`, "orders:Name"},
		{`["PUT"]`, `["put"]`, "upper-case"},
		{`"/v1/orders"`, `"v1/orders"`, "slash"},
		{`"/v1/orders"`, `"/v1/../orders"`, "cannot be matched"},
		{`"/v1/orders"`, `"/v1//orders"`, "cannot be matched"},
		{`"/v1/orders"`, `"/v1/{order..}"`, "not the name"},
		{`"/files/{file...}"`, `"/files/{file...}/x"`, "last segment"},
		{`"/files/{file...}"`, `"/files/{region}"`, "not the name"},
		{`file/{file}"`, `file/{fil}"`, "no {fil}"},
		{`file/{file}"`, `file/*"`, "no wildcards"},
		{`:{account}:file/{file}"`, `:999999999999:file/{file}"`, "ARN of the account"},
		{`"query:status"`, `"cookie:status"`, "query:NAME"},
		{`"path:order"`, `"path:other"`, "no {other}"},
		{`"orders:Order"`, `"aws:PrincipalArn"`, "the server's"},
		{`"rules": [`, `"rules": [null,`, "null"},
		{`"services": [{`, `"services": [null,{`, "null"},
	} {
		changed := strings.Replace(ordersTable, c.old, c.new, 1)
		if changed == ordersTable {
			t.Fatalf("%s is not in the table", c.old)
		}
		if _, err := parseTable([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
	for _, text := range []string{"", "{}", "null", "[]", ordersTable + "{}", strings.Repeat(" ", maxTable+1)} {
		if _, err := parseTable([]byte(text)); err == nil {
			t.Errorf("%.20q was accepted", text)
		}
	}
}

func TestPaths(t *testing.T) {
	table, err := parseTable([]byte(ordersTable))
	if err != nil {
		t.Fatal(err)
	}
	rules := table.Services[0].Rules
	for path, want := range map[string]string{
		"/v1/orders":          "orders:ListOrders *",
		"/v1/orders/7":        "orders:GetOrder arn:aws:orders:eu-central-1:123456789012:order/7",
		"/v1/orders/a%20b":    "orders:GetOrder arn:aws:orders:eu-central-1:123456789012:order/a b",
		"/v1/orders/%2A":      "orders:GetOrder arn:aws:orders:eu-central-1:123456789012:order/*",
		"/files/a/b/c":        "orders:GetFile arn:aws:orders:eu-central-1:123456789012:file/a/b/c",
		"/files/a/":           "orders:GetFile arn:aws:orders:eu-central-1:123456789012:file/a/",
		"/v1/orders/":         "",
		"/v1/orders/7/x":      "",
		"/files/":             "",
		"/files":              "",
		"/V1/orders":          "",
		"/":                   "",
		"":                    "",
		"v1/orders":           "",
		"//v1/orders":         "",
		"/v1//orders":         "",
		"/v1/./orders":        "",
		"/files/../v1/orders": "",
		"/files/%2e%2e/x":     "",
		"/files/a%2fb":        "",
		"/files/a%5Cb":        "",
		"/files/a;b":          "",
		"/files/a%00":         "",
		"/files/a%":           "",
		"/files/%252e%252e/x": "",
		"/files/a%ff":         "",
	} {
		got := ""
		if segments, err := splitPath(path); err == nil {
			for _, r := range rules[:4] {
				if len(r.Methods) > 0 && r.Methods[0] != "GET" {
					continue
				}
				if v, ok := r.pattern.match(segments); ok {
					got = r.Action + " " + r.resourceOf(v)
					break
				}
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(ordersTable), "/v1/orders/7")
	f.Add([]byte(`{"services":[{"rules":[{"path":"/{a...}"}]}]}`), "/%2e/a//b")
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		table, err := parseTable(data)
		if err != nil {
			table, _ = parseTable([]byte(ordersTable))
		}
		segments, err := splitPath(path)
		if err != nil {
			return
		}
		for _, s := range segments[:len(segments)-1] {
			if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/\\%") {
				t.Fatalf("segment %q of %q", s, path)
			}
		}
		for _, service := range table.Services {
			for _, r := range service.Rules {
				if v, ok := r.pattern.match(segments); ok {
					r.resourceOf(v)
				}
			}
		}
	})
}
