package directory

import (
	"context"
	"errors"
	"net"
	"testing"
)

// TestPanicIsAnError: what panics below a lookup, which runs in a goroutine of its own, ends the lookup and not the program.
func TestPanicIsAnError(t *testing.T) {
	c, err := New(Config{Servers: []string{"dc1.corp.example.com"}, BindName: "svc", Password: "secret", Dial: func(context.Context, string, string) (net.Conn, error) {
		panic("a library's fault")
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // nothing stays locked
		if _, err := c.Lookup(t.Context(), "S-1-5-21-1-2-3-1106"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
}
