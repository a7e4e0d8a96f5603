// Package metrics counts what the server does, for Prometheus, and says whether it is alive and ready.
//
// Every Registry is its own: there is no global one, so tests and several servers in one process do not meet. The set of label
// values is bounded, whatever a caller sends, and no label ever holds a secret, a name chosen by a caller, or a certificate.
// The package measures nothing itself and does not listen: the server mounts Handler and the Health handlers on a loopback address.
//
// Start with Registry (registry.go), then Health (health.go).
package metrics
