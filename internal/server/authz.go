package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/rolecall/rolecall/internal/httpauthz"
)

// serveAuthorization opens the listener that proxies ask for decisions, if there is a table.
func (s *Server) serveAuthorization() error {
	if s.cfg.AuthzTable == "" {
		return nil
	}
	table, err := httpauthz.ReadTable(s.cfg.AuthzTable)
	if err != nil {
		return fmt.Errorf("--authz-table: %w", err)
	}
	l, err := net.Listen("tcp", s.cfg.AuthzListen)
	if err != nil {
		return fmt.Errorf("--authz-listen %s: %w", s.cfg.AuthzListen, err)
	}
	srv := &http.Server{
		Handler: httpauthz.New(httpauthz.Config{
			Table: table, Gate: s.guard, Audit: s.audit, Fresh: s.db.Fresh, Metrics: s.metrics, Log: s.log,
		}),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 256 << 10,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, srv)
	s.work(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("listener %s: %w", s.cfg.AuthzListen, err)
		}
	})
	s.authorization = l.Addr().String()
	s.log.Info("deciding requests for proxies", "address", l.Addr().String(), "table", s.cfg.AuthzTable)
	return nil
}

// AuthorizationAddr is where proxies ask; "" without a table.
func (s *Server) AuthorizationAddr() string { return s.authorization }

// checkAuthorization keeps the decisions for proxies of this machine: the answers say who a caller is.
func (c *Config) checkAuthorization() error {
	if c.AuthzListen == "" {
		c.AuthzListen = "127.0.0.1:8446"
	}
	host, _, err := net.SplitHostPort(c.AuthzListen)
	if err != nil {
		return fmt.Errorf("--authz-listen %s: %w", c.AuthzListen, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--authz-listen %s: only loopback addresses: the proxy that asks runs on this machine", c.AuthzListen)
	}
	return nil
}
