// Package httpauthz decides HTTP requests to services that know nothing of signatures and policies. A proxy in front of such
// a service asks here first, in the form of nginx's auth_request or of Envoy's external authorization over HTTP. The
// package verifies the request's SigV4 signature, maps the request to an action and a resource by a table that the operator
// writes, evaluates the caller's policies, and answers 200, 401 or 403.
//
// It sees no body unless the proxy sends it (see [Handler]), forwards nothing, and keeps nothing. Start with [ReadTable] and
// [New].
package httpauthz
