package server

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/tlsca"
)

// Limits of every connection. A request is small and a client is a program: what takes longer is broken or hostile.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	// maxHeaderBytes leaves room to answer an oversized header in the API's own form; awsapi has the real limit.
	maxHeaderBytes = 1<<20 + 256<<10
)

// listen opens all listeners; the first one is the endpoint that is printed.
func (s *Server) listen(background context.Context) error {
	var tlsConfig *tls.Config
	for _, address := range s.cfg.Listen {
		plain, isPlain := strings.CutPrefix(address, "http://")
		if isPlain {
			if err := s.serve(plain, "http://", s.handler, nil); err != nil {
				return err
			}
			continue
		}
		if tlsConfig == nil {
			var err error
			if tlsConfig, err = s.tlsConfig(background); err != nil {
				return err
			}
		}
		if err := s.serve(strings.TrimPrefix(address, "https://"), "https://", s.handler, tlsConfig); err != nil {
			return err
		}
	}
	for _, address := range s.cfg.DistributionListen {
		if err := s.serve(strings.TrimPrefix(address, "http://"), distribution, s.publicHandler, nil); err != nil {
			return err
		}
	}
	if s.cfg.MetricsListen == "off" {
		return nil
	}
	return s.serve(s.cfg.MetricsListen, "", s.operations(), nil)
}

// tlsConfig serves the operator's certificate or the data folder's own, renewed while the server runs.
func (s *Server) tlsConfig(background context.Context) (*tls.Config, error) {
	source := tlsca.Files(s.cfg.TLSCert, s.cfg.TLSKey)
	if s.cfg.TLSCert == "" {
		source = tlsca.Bootstrap(s.cfg.DataDir, s.certificateHosts())
	}
	reloader, err := tlsca.NewReloader(source, nil)
	if err != nil {
		return nil, err
	}
	s.reloader = reloader
	s.work(func() {
		reloader.Run(background, time.Minute, func(err error) {
			if err != nil {
				s.log.Error("the server certificate cannot be renewed; the one in use stays", "error", err)
				return
			}
			s.log.Info("server certificate renewed")
		})
	})
	config := rememberingLeaf(&tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: reloader.GetCertificate, NextProtos: []string{"h2", "http/1.1"},
		// An answer has a few KiB and often is the only one of its connection: small records would only be more writes.
		// And strongSwan's EST client loses what is not in the first record, a certificate and its token with it.
		DynamicRecordSizingDisabled: true,
	})
	asking := config.Clone()
	asking.ClientAuth = tls.RequestClientCert // EST decides about it; to everything else it means nothing
	if err := s.showCA(asking); err != nil {
		return nil, err
	}
	remember := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if s.est.WantsCertificates(hello.Context()) {
			_, err := remember(hello)
			return asking, err
		}
		return remember(hello)
	}
	return config, nil
}

// showCA has the connections that may be EST's show the CA that the data folder made: a machine that knows no more than its
// fingerprint finds it there.
func (s *Server) showCA(config *tls.Config) error {
	if s.cfg.TLSCert != "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(s.cfg.DataDir, "tls-ca.pem"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("there is no certificate in tls-ca.pem")
	}
	get := config.GetCertificate
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := get(hello)
		if err != nil {
			return nil, err
		}
		with := *c
		with.Certificate = append(slices.Clip(c.Certificate), block.Bytes)
		return &with, nil
	}
	return nil
}

// certificateHosts adds the addresses listened on to the names asked for; loopback is always covered.
func (s *Server) certificateHosts() []string {
	hosts := append([]string(nil), s.cfg.Hosts...)
	for _, address := range s.cfg.Listen {
		host, _, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://"))
		if ip := net.ParseIP(host); err == nil && (ip == nil && host != "" || ip != nil && !ip.IsUnspecified()) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// distribution stands for a scheme: the address serves only what is public.
const distribution = "distribution"

// maxPublicHeaderBytes is for requests that carry no more than an OCSP request in their path.
const maxPublicHeaderBytes = 32 << 10

// serve starts one HTTP server on address. Without a scheme it is the operator's address.
func (s *Server) serve(address, scheme string, h http.Handler, tlsConfig *tls.Config) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	srv := &http.Server{
		Handler: h, TLSConfig: tlsConfig, ConnContext: rememberLeaf,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // handshake noise from strangers
	}
	s.servers = append(s.servers, srv)
	switch {
	case scheme == distribution:
		srv.MaxHeaderBytes = maxPublicHeaderBytes
		s.distributionAddrs = append(s.distributionAddrs, l.Addr().String())
	case scheme == "":
		s.operationsAddr = l.Addr().String()
	case s.endpoint == "":
		s.endpoint = scheme + l.Addr().String()
	}
	s.work(func() {
		var err error
		if tlsConfig != nil {
			err = srv.ServeTLS(l, "", "")
		} else {
			err = srv.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("listener %s: %w", address, err)
		}
	})
	return nil
}

// operations is what the operator's loopback address serves.
func (s *Server) operations() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET /livez", s.health.LiveHandler())
	mux.Handle("GET /readyz", s.health.ReadyHandler())
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
