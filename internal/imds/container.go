package imds

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

// PathContainer is the container endpoint's path; PathContainer + "/" + role is that of a certain role.
const PathContainer = "/v1/credentials"

// leastToken is how short an authorization token may be, in bytes: 16 random bytes are 22 characters of base64.
const leastToken = 16

func (s *Server) containerRoutes(mux *http.ServeMux) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			containerError(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "only GET is answered here")
			return
		}
		s.container(w, r)
	}
	mux.HandleFunc(PathContainer, h)
	mux.HandleFunc(PathContainer+"/{$}", h)
	mux.HandleFunc(PathContainer+"/{role}", h)
}

func (s *Server) container(w http.ResponseWriter, r *http.Request) {
	want, err := s.cfg.ContainerToken()
	if err != nil || len(want) < leastToken {
		s.cfg.Log("the container endpoint's authorization token cannot be read or is shorter than 16 characters")
		containerError(w, http.StatusInternalServerError, "InternalError", "the authorization token is not available")
		return
	}
	got := r.Header["Authorization"]
	if len(got) != 1 || !sameText(got[0], want) {
		containerError(w, http.StatusUnauthorized, "AccessDenied", "the Authorization header does not hold the token")
		return
	}
	role := &s.cfg.Roles[0]
	if name := r.PathValue("role"); name != "" {
		if role = s.roles[name]; role == nil {
			containerError(w, http.StatusNotFound, "ResourceNotFound", "no such role here")
			return
		}
	}
	held, err := role.Get(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "1")
		containerError(w, http.StatusServiceUnavailable, "InternalError", "no valid credentials at the moment")
		return
	}
	writeJSON(w, http.StatusOK, "application/json", struct {
		RoleArn         string
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      string
	}{role.ARN.String(), held.AccessKeyID, held.SecretAccessKey, held.SessionToken, held.Expires.UTC().Format(time.RFC3339)})
}

func containerError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, "application/json", struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

// sameText compares in a time that tells nothing about either text, its length included.
func sameText(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
