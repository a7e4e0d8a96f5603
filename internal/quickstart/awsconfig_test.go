package quickstart

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWordsSurviveTheConfigFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.StringMatching(`[ -~äß]{0,12}`), 1, 6).Draw(t, "words")
		quoted := make([]string, len(want))
		for i, w := range want {
			quoted[i] = quoteWord(w)
		}
		got, err := splitWords(strings.Join(quoted, " "))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("words differ (-want +got):\n%s", diff)
		}
	})
}

func TestUnclosedQuote(t *testing.T) {
	if _, err := splitWords(`a "b`); err == nil {
		t.Error("an unclosed quote went through")
	}
}
