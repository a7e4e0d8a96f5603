package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
)

// startProxy is an HTTP proxy that understands CONNECT only and takes every connection to target.
func startProxy(target string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			http.Error(w, "no server", http.StatusBadGateway)
			return
		}
		defer server.Close()
		w.WriteHeader(http.StatusOK)
		client, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		var both sync.WaitGroup
		both.Go(func() { io.Copy(server, buffered); server.(*net.TCPConn).CloseWrite() })
		both.Go(func() { io.Copy(client, server); client.Close() })
		both.Wait()
	}))
}
