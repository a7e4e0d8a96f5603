package awsprovider_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
)

// trusting is a client for a server whose CA is in bundle.
func trusting(t *testing.T, bundle string) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if bundle != "" && !pool.AppendCertsFromPEM(read(t, bundle)) {
		t.Fatal("no certificates")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}
