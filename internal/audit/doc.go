// Package audit makes what happened durable before it is answered, and carries it into the store afterwards.
//
// An Event is one CloudTrail-shaped record. A Log is a folder of append-only segment files on this node: Append returns once
// the record is on disk, and many writers share one sync. A Shipper moves the records into the store in batches, in order and
// exactly once: the position in the log is stored in the transaction that stores the batch.
//
// The package does not decide what is audited, does not mask request parameters (the caller hands over masked JSON) and does
// not answer LookupEvents. It has no field for a secret key or a session token: only the access key id can be recorded.
//
// Start with Event (event.go), then Log.Append (log.go), the committer (commit.go), recovery (recover.go) and Shipper (shipper.go).
package audit
