package imds

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

// Headers of the instance metadata service, version 2.
const (
	headerToken = "X-Aws-Ec2-Metadata-Token"
	headerTTL   = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
)

// Bounds of a token's lifetime, in seconds; the greater one is the default.
const (
	leastTTL = 1
	mostTTL  = 21600
)

const (
	pathToken       = "/latest/api/token"
	pathMetadata    = "/latest/meta-data/"
	pathCredentials = pathMetadata + "iam/security-credentials"
	pathDocument    = "/latest/dynamic/instance-identity/document"
)

func (s *Server) metadataRoutes(mux *http.ServeMux) {
	only := func(path, method string, h http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method {
				w.Header().Set("Allow", method)
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			h(w, r)
		})
	}
	get := func(path string, h http.HandlerFunc) { only(path, http.MethodGet, s.withToken(h)) }
	only(pathToken, http.MethodPut, s.putToken)
	only(pathToken+"/{$}", http.MethodPut, s.putToken)
	get(pathCredentials, s.listRoles)
	get(pathCredentials+"/{$}", s.listRoles)
	get(pathCredentials+"/{role}", s.credentials)
	get(pathCredentials+"/{role}/{$}", s.credentials)
	if s.cfg.Region != "" {
		get(pathMetadata+"placement/region", s.text(string(s.cfg.Region)))
		// There is no zone. Old SDKs find the region by dropping the zone's last letter, so one is made up.
		get(pathMetadata+"placement/availability-zone", s.text(string(s.cfg.Region)+"a"))
		get(pathDocument, s.document)
	}
	get("/latest/meta-data", s.text("iam/\nplacement/"))
	get("/latest/meta-data/{$}", s.text("iam/\nplacement/"))
	get("/latest/meta-data/iam/{$}", s.text("security-credentials/"))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "not found") })
}

func (s *Server) putToken(w http.ResponseWriter, r *http.Request) {
	ttl := mostTTL
	if values := r.Header[headerTTL]; values != nil {
		n, err := strconv.Atoi(values[0])
		if err != nil || len(values) > 1 || n < leastTTL || n > mostTTL {
			refuse(w, http.StatusBadRequest, "invalid token TTL")
			return
		}
		ttl = n
	}
	token, err := s.tokens.issue(time.Duration(ttl) * time.Second)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "no token could be made")
		return
	}
	w.Header().Set(headerTTL, strconv.Itoa(ttl))
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, token)
}

// withToken lets only requests with a valid token pass. There is no version 1, in which any GET is answered.
func (s *Server) withToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get(headerToken)
		if token == "" {
			refuse(w, http.StatusUnauthorized, "no token provided")
			return
		}
		left := s.tokens.left(token)
		if left <= 0 {
			refuse(w, http.StatusUnauthorized, "invalid token provided")
			return
		}
		w.Header().Set(headerTTL, strconv.Itoa(int(left.Round(time.Second)/time.Second)))
		next(w, r)
	}
}

func (s *Server) text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, body)
	}
}

// listRoles names the first role only: every SDK takes the whole answer for one name.
func (s *Server) listRoles(w http.ResponseWriter, r *http.Request) {
	name, _ := s.cfg.Roles[0].ARN.RoleName() // New has checked it
	s.text(name)(w, r)
}

func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, "text/plain", struct {
		AccountID string `json:"accountId"`
		Region    string `json:"region"`
	}{string(s.cfg.Roles[0].ARN.Account), string(s.cfg.Region)})
}

func (s *Server) credentials(w http.ResponseWriter, r *http.Request) {
	role := s.roles[r.PathValue("role")]
	if role == nil {
		refuse(w, http.StatusNotFound, "no such role here")
		return
	}
	held, err := role.Get(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "no valid credentials at the moment; the server's log has the reason")
		return
	}
	writeJSON(w, http.StatusOK, "text/plain", metadataCredentials(held))
}

// metadataCredentials is the document of the instance metadata service, members in the official helper's order.
func metadataCredentials(h *credclient.Held) any {
	return struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Code            string
		Type            string
		Expiration      string
		LastUpdated     string
	}{h.AccessKeyID, h.SecretAccessKey, h.SessionToken, "Success", "AWS-HMAC",
		h.Expires.UTC().Format(time.RFC3339), h.Obtained.UTC().Format(time.RFC3339)}
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, fmt.Sprintf("%T", v))
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
