package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

// probeTimeout bounds every step to an endpoint.
const probeTimeout = 10 * time.Second

// clockTolerance is the offset from the server's clock from which on signatures are in danger; AWS refuses some minutes.
const clockTolerance = time.Minute

// network goes to every endpoint step by step; false: none of them answers.
func (x *examination) network(ctx context.Context) bool {
	cfg := x.program.clientConfig(x.in)
	_, endpoints, err := credclient.Resolve(cfg, x.in.request(x.in.text(flagRole), x.in.text(flagProfileARN)))
	if err != nil {
		x.fail("endpoint", err)
		return false
	}
	config, err := credclient.TLSConfig(&cfg)
	if err != nil {
		x.fail("tls", err)
		return false
	}
	if cfg.NoVerifyTLS {
		x.add("tls", warning, "--no-verify-ssl: whoever is in between can read the credentials", "name the server's CA with --ca-bundle")
	}
	if region := x.in.text(flagRegion); region == "" {
		x.endpointRegion(endpoints)
	}
	any := false
	for _, text := range endpoints {
		u, err := url.Parse(text)
		if err != nil {
			x.fail("endpoint", err)
			continue
		}
		any = x.probe(ctx, u, config) || any
	}
	return any
}

// endpointRegion compares the region in a name of AWS's with that of the trust anchor.
func (x *examination) endpointRegion(endpoints []string) {
	parts := strings.Split(x.in.text(flagAnchor), ":")
	for _, text := range endpoints {
		u, err := url.Parse(text)
		if err != nil || len(parts) < 4 || !strings.Contains(u.Hostname(), ".amazonaws.") {
			continue
		}
		if !strings.Contains(u.Hostname(), "."+parts[3]+".") {
			x.add("endpoint", bad, fmt.Sprintf("%s is not of the region %s of the trust anchor", u.Hostname(), parts[3]), "leave --endpoint out, or name the endpoint of the region")
		}
	}
}

func (x *examination) probe(ctx context.Context, u *url.URL, config *tls.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*probeTimeout)
	defer cancel()
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if name := x.malformedProxy(u.Scheme); name != "" || err != nil { // the value may have a password in it
		x.add("proxy", bad, "the proxy address in "+name+" is malformed, so that no proxy is used", "set it to an address such as http://proxy.example.com:3128, or unset it")
		return false
	}
	target := hostPort(u)
	first, name := target, u.Hostname()
	if proxy != nil {
		first, name = hostPort(proxy), proxy.Hostname()
		x.add("proxy", good, fmt.Sprintf("%s is asked through the proxy %s", target, first), "")
	}
	if proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https" {
		x.add("proxy", skipped, "what lies behind a "+proxy.Scheme+" proxy shows in the session only", "")
		return true
	}
	conn := x.dial(ctx, first, name)
	if conn == nil {
		return false
	}
	defer func() { conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * probeTimeout)) // a network connection takes one
	if proxy != nil {
		if proxy.Scheme == "https" {
			own := config.Clone()
			own.ServerName = proxy.Hostname()
			conn = tls.Client(conn, own)
		}
		if !x.connect(conn, proxy, target) {
			return false
		}
	}
	if u.Scheme == "https" {
		own := config.Clone()
		own.ServerName = u.Hostname()
		secure := tls.Client(conn, own)
		if err := secure.HandshakeContext(ctx); err != nil {
			x.add("tls", bad, fmt.Sprintf("%s: %v", target, err), credclient.ConnectionHint(err))
			return false
		}
		conn = secure
		state := secure.ConnectionState()
		x.add("tls", good, fmt.Sprintf("%s, certificate of %s valid until %s", tls.VersionName(state.Version), state.PeerCertificates[0].Subject, state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)), "")
	}
	return x.clock(conn, u)
}

// malformedProxy names the variable with a proxy for the scheme that is no address, which net/http passes over in silence.
func (x *examination) malformedProxy(scheme string) string {
	for _, name := range []string{strings.ToUpper(scheme) + "_PROXY", scheme + "_proxy"} {
		text := x.program.getenv(name)
		if text == "" {
			continue
		}
		if _, err := url.Parse(text); err != nil {
			if _, err := url.Parse("http://" + text); err != nil {
				return name
			}
		}
		return "" // the first that is set counts
	}
	return ""
}

// dial resolves and connects.
func (x *examination) dial(ctx context.Context, address, name string) net.Conn {
	if net.ParseIP(name) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, name)
		if err != nil {
			x.add("dns", bad, fmt.Sprintf("%s: %v", name, err), "check the region or the host name of the endpoint, and the machine's name servers")
			return nil
		}
		x.add("dns", good, name+" is "+strings.Join(found, ", "), "")
	}
	conn, err := (&net.Dialer{Timeout: probeTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		x.add("tcp", bad, fmt.Sprintf("cannot connect to %s: %v", address, err), credclient.ConnectionHint(err))
		return nil
	}
	x.add("tcp", good, "connected to "+address, "")
	return conn
}

// connect asks the proxy for a tunnel (RFC 9110 §9.3.6).
func (x *examination) connect(conn net.Conn, proxy *url.URL, target string) bool {
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	err := r.Write(conn)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(bufio.NewReaderSize(conn, 4096), r)
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		x.add("proxy", bad, fmt.Sprintf("the proxy %s gives no way to %s: %v", hostPort(proxy), target, err), "let the proxy allow it, or name the host in NO_PROXY")
		return false
	}
	return true
}

// clock asks for anything at all and compares the answer's Date.
func (x *examination) clock(conn net.Conn, u *url.URL) bool {
	r := &http.Request{Method: http.MethodHead, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {ownName + "/" + currentVersion()}}, Close: true}
	err := r.Write(conn)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(bufio.NewReader(conn), r)
	}
	if err != nil {
		x.add("http", bad, fmt.Sprintf("%s does not answer HTTP: %v", u.Host, err), "check the endpoint and its port")
		return false
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		x.add("clock", warning, "the server does not tell the time", "")
		return true
	}
	skew := time.Since(date).Truncate(time.Second)
	if skew.Abs() >= clockTolerance {
		x.add("clock", bad, fmt.Sprintf("the local clock is %s off the server's (ahead if positive)", skew), "set the clock: signatures carry the time")
		return true
	}
	x.add("clock", good, fmt.Sprintf("within %s of the server's", (skew.Abs()+time.Second)), "")
	return true
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
