package credcache

import (
	"reflect"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

// What encode writes, decode reads, whatever is in it; what decode takes is what encode would have written of it.
func FuzzDecode(f *testing.F) {
	at := time.Unix(1790000000, 123)
	full := &entry{
		Key: "k", Credentials: &credclient.Credentials{AccessKeyID: "A", SecretAccessKey: "s/+\n\xff\"", SessionToken: "t", Expiration: "2026-11-22T00:00:00Z"},
		Obtained: at, Expires: at.Add(time.Hour), Failure: "a\u2028b", Advice: "c", FailedAt: at,
	}
	for _, e := range []*entry{full, {Failure: "x"}, {}} {
		got, ok := decode(e.encode())
		if !ok || got.Key != e.Key || !reflect.DeepEqual(got.Credentials, e.Credentials) || got.Failure != e.Failure || got.Advice != e.Advice {
			f.Errorf("got %+v, want %+v", got, e)
		} else if !got.Obtained.Equal(e.Obtained) || !got.Expires.Equal(e.Expires) || !got.NotBefore.Equal(e.NotBefore) || !got.FailedAt.Equal(e.FailedAt) {
			f.Errorf("times: got %+v, want %+v", got, e)
		}
		f.Add(e.encode())
	}
	f.Add([]byte(version + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, ok := decode(data)
		if !ok {
			return
		}
		again, ok := decode(e.encode())
		if !ok || !reflect.DeepEqual(again, e) {
			t.Errorf("%q: %+v, then %+v", data, e, again)
		}
	})
}
