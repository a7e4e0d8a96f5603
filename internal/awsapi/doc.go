// Package awsapi is the one path that API requests take: it finds the operation, authenticates, decodes and validates,
// opens a transaction, authorizes, calls the handler, records the audit event and answers in the request's protocol.
// Operations are bound to Go functions once, with [Bind]; the tables behind them are generated (model/, modelgen/) and
// the protocols live in wire/.
//
// It decides nothing about who may do what (that is the [Gate]'s) and knows no operation by name.
//
// Start reading at Router.ServeHTTP (router.go), then invoke.go.
package awsapi
