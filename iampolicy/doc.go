// Package iampolicy parses, validates, evaluates and explains policies written in
// AWS's IAM policy language: identity-based policies, managed policies, role trust
// policies, session policies, permissions boundaries and resource-based policies.
//
// It is pure computation. It does not know accounts, roles or services, reads no clock
// and does no I/O: the caller supplies the principal, the action, the resource and every
// condition key through [Context], and gathers the policies that apply in a [Set].
// Service control policies and resource control policies are not modelled.
//
// Start at [Parse], which compiles one document, and [Evaluate], which decides a request.
// [Decision.Message] is the sentence for the caller, [Decision.Explain] the one for the
// audit event.
//
// Where AWS's behaviour is undocumented, the package fails closed: a comparison that
// cannot be carried out (a number that is no number, a multivalued key without a set
// operator) never makes an Allow apply, and never keeps a Deny from applying.
package iampolicy
