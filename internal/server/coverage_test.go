package server

import (
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/awsapi/model/cloudtrail"
	"github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/awsapi/model/sts"
)

var update = flag.Bool("update", false, "write docs/coverage.md anew")

const coverageFile = "../../docs/coverage.md"

// TestCoverageTable keeps docs/coverage.md true: it lists every operation of every model with what a running server binds.
func TestCoverageTable(t *testing.T) {
	s, err := Start(t.Context(), Config{Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}, Output{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown() })
	bound := map[string]bool{}
	for _, b := range s.bindings {
		bound[b.Operation().Action()] = true
	}
	want := coverage(bound)
	if *update {
		if err := os.WriteFile(coverageFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(coverageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/coverage.md is not what the server does (go test ./internal/server -run Coverage -update):\n%s", diff)
	}
}

func coverage(bound map[string]bool) string {
	var b strings.Builder
	b.WriteString("# Coverage\n\nEvery operation of the APIs that rolecalld speaks. A test writes this table from the running server.\n" +
		"What is not bound answers with an AWS-shaped 4xx that says so.\n\n" +
		"## CreateSession\n\n`POST /sessions`, signed with a certificate's key: done. It is in no API model; see ARCHITECTURE.md.\n")
	for _, s := range []struct {
		title string
		api   *awsapi.API
		other string // status of what is not bound
	}{
		{"IAM Roles Anywhere", rolesanywhere.API, "not yet"},
		{"STS", sts.API, "not yet"},
		{"IAM", iam.API, "not yet"},
		{"Private CA", acmpca.API, "not yet"},
		{"Connector for AD", pcaconnectorad.API, "not yet"},
		{"CloudTrail", cloudtrail.API, "out of scope"},
	} {
		names := make([]string, len(s.api.Known))
		done := 0
		for i, k := range s.api.Known {
			names[i] = k.Name
			if bound[s.api.Service+":"+k.Name] {
				done++
			}
		}
		sort.Strings(names)
		fmt.Fprintf(&b, "\n## %s (%d of %d)\n\n| operation | |\n|---|---|\n", s.title, done, len(names))
		for _, n := range names {
			status := s.other
			switch {
			case bound[s.api.Service+":"+n]:
				status = "done"
			case outOfScope(s.api.Service + ":" + n):
				status = "out of scope"
			}
			fmt.Fprintf(&b, "| %s | %s |\n", n, status)
		}
	}
	return b.String()
}
