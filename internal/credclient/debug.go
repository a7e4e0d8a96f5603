package credclient

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (c *Client) debugf(format string, args ...any) {
	if c.cfg.Debug != nil {
		c.cfg.Debug(fmt.Sprintf(format, args...))
	}
}

// debugRequest tells what is sent, but the signature: within its five minutes it is as good as the key.
func (c *Client) debugRequest(r *http.Request, k *call) {
	if c.cfg.Debug == nil {
		return
	}
	c.debugf("> %s %s", r.Method, r.URL)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		value := strings.Join(r.Header[name], ",")
		if head, _, ok := strings.Cut(value, "Signature="); ok && name == "Authorization" {
			value = head + "Signature=(hidden)"
		}
		if name == "X-Amz-Security-Token" {
			value = "(hidden)"
		}
		c.debugf("> %s: %s", name, value)
	}
	c.debugf("> %s", k.body)
}

// debugResponse tells what came back. Of a success only the length of the body: it holds the credentials.
func (c *Client) debugResponse(resp *http.Response, body []byte) {
	if c.cfg.Debug == nil {
		return
	}
	c.debugf("< %s", resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		c.debugf("< %s: %s", name, strings.Join(resp.Header[name], ","))
	}
	if resp.StatusCode/100 == 2 {
		c.debugf("< (%d bytes with credentials)", len(body))
		return
	}
	c.debugf("< %s", clip(string(body), maxText))
}
