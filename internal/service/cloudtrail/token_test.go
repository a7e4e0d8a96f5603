package cloudtrail

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

func TestTokenRoundTrip(t *testing.T) {
	f := &store.EventFilter{Account: "123456789012", Region: "eu-central-1", Name: "X", ReadOnly: new(true), Start: time.Unix(1, 0)}
	for _, key := range []string{"1/a", "-5/3c5a2a2e-5a5e-4b1f-9d57-0c4d5f6a7b8c", "9223372036854775807/" + strings.Repeat("z", maxTokenID)} {
		token, err := makeToken(f, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openToken(f, token)
		if err != nil || got != key {
			t.Errorf("got %q, %v, want %q", got, err, key)
		}
		for _, other := range []store.EventFilter{
			{}, {Account: "210987654321", Region: f.Region, Name: "X", ReadOnly: f.ReadOnly, Start: f.Start},
			{Account: f.Account, Region: "us-east-1", Name: "X", ReadOnly: f.ReadOnly, Start: f.Start},
			{Account: f.Account, Region: f.Region, Source: "X", ReadOnly: f.ReadOnly, Start: f.Start},
			{Account: f.Account, Region: f.Region, Name: "X", ReadOnly: new(false), Start: f.Start},
			{Account: f.Account, Region: f.Region, Name: "X", ReadOnly: f.ReadOnly, End: f.Start},
		} {
			if _, err := openToken(&other, token); err == nil {
				t.Errorf("the token opens for %+v", other)
			}
		}
	}
	for _, key := range []string{"", "x", "1", "x/1"} {
		if token, err := makeToken(f, key); err == nil {
			t.Errorf("%q gave %q", key, token)
		}
	}
}

func FuzzOpenToken(f *testing.F) {
	filter := &store.EventFilter{Account: "123456789012", Region: "eu-central-1", Name: "X"}
	for _, micros := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		token, err := makeToken(filter, strconv.FormatInt(micros, 10)+"/3c5a2a2e-5a5e-4b1f-9d57-0c4d5f6a7b8c")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		key, err := openToken(filter, token)
		if err != nil {
			return
		}
		again, err := makeToken(filter, key)
		if err != nil || again != token {
			t.Errorf("%q opens to %q, which makes %q, %v", token, key, again, err)
		}
	})
}
