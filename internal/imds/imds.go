// Package imds serves temporary credentials to the AWS SDKs on the same machine, in the two ways that they all know: as
// the instance metadata service, version 2 only, and as the container credentials endpoint with an authorization token.
//
// It obtains nothing itself: each [Role] brings a function that gives valid credentials or an error. What a caller gets is
// always one of the two, never empty credentials. Everyone who can reach it and knows the protocol gets the credentials, so
// it listens on loopback unless told otherwise, and refuses forwarded requests and names that are not its own.
// Start with [New]; guard.go says who is let in, metadata.go and container.go answer, listen.go opens the sockets.
package imds

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credclient"
)

// Role is one role whose credentials are served.
type Role struct {
	ARN arn.ARN
	Get func(ctx context.Context) (*credclient.Held, error) // only valid credentials
}

// Config says what is served and to whom. Roles is required.
type Config struct {
	Roles  []Role     // the first is the one that the metadata service lists; names must differ
	Region arn.Region // for placement/region; empty: those paths answer 404

	// ContainerToken gives the authorization token of the container endpoint, at every request so that it can be rotated.
	// nil: there is no container endpoint.
	ContainerToken func() (string, error)

	Networks []netip.Prefix // of clients that are let in besides loopback ones
	Hosts    []string       // names that are accepted in Host besides the server's own addresses and localhost

	HopLimit int              // IP time to live of answers, 1 to 255; 0: the system's
	Log      func(string)     // nil: nothing is logged
	Now      func() time.Time // nil: time.Now
}

// Server answers requests. It has no open sockets until [Server.Serve].
type Server struct {
	cfg    Config
	roles  map[string]*Role // by name
	hosts  map[string]bool
	tokens *tokens
	http   *http.Server
}

// New checks the configuration.
func New(cfg Config) (*Server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	if len(cfg.Roles) == 0 {
		return nil, errors.New("no role to serve")
	}
	if cfg.HopLimit < 0 || cfg.HopLimit > 255 {
		return nil, fmt.Errorf("hop limit %d is not within 1 to 255", cfg.HopLimit)
	}
	s := &Server{cfg: cfg, roles: map[string]*Role{}, hosts: map[string]bool{}}
	for i := range cfg.Roles {
		r := &cfg.Roles[i]
		name, ok := r.ARN.RoleName()
		if !ok || name == "" || strings.ContainsAny(name, "/?#\r\n") {
			return nil, fmt.Errorf("%s is not the ARN of a role", r.ARN)
		}
		if s.roles[name] != nil {
			return nil, fmt.Errorf("two roles are named %s: clients tell them apart by their names", name)
		}
		s.roles[name] = r
	}
	for _, h := range cfg.Hosts {
		s.hosts[strings.ToLower(h)] = true
	}
	s.tokens = newTokens(rand.Reader, cfg.Now)
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      90 * time.Second, // a refresh may take a minute
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       connContext,
		ErrorLog:          log.New(io.Discard, "", 0), // a client's mistakes, not ours
	}
	return s, nil
}

// drainTime bounds the wait for requests that are being answered at the end.
const drainTime = 10 * time.Second

// Serve answers on the listeners, which it closes, until ctx ends; then it lets the requests that have begun finish.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	if len(listeners) == 0 {
		return errors.New("nothing to listen on")
	}
	failed := make(chan error, len(listeners))
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() { failed <- s.http.Serve(&guarded{Listener: l, server: s}) })
	}
	var err error
	select {
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		err = s.http.Shutdown(drain)
	case err = <-failed:
		s.http.Close()
	}
	all.Wait()
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	s.metadataRoutes(mux)
	if s.cfg.ContainerToken != nil {
		s.containerRoutes(mux)
	}
	return s.guard(mux)
}
