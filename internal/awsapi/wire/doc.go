// Package wire speaks AWS's wire protocols: REST-JSON, JSON 1.0 and 1.1, and Query. It decodes requests into the
// generated Go types, validates them against the constraints of the API models in AWS's wording, and encodes answers and
// errors. Everything is driven by [Shape] tables that are compiled once per operation into a [Plan].
//
// It does not route, authenticate or log, and it never looks at a header other than those a model binds. All input is
// untrusted: sizes, depths and counts are limited in limits.go, and a request that breaks a rule ends in a [Fault].
//
// Start reading at plan.go; decode.go is the way in, encode.go the way out.
package wire
