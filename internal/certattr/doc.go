// Package certattr turns a verified certificate into what a session is made of: session tags by a
// profile's attribute mappings, the role session name, the source identity, and the subject and
// issuer as text.
//
// It trusts no certificate by itself: it takes only certchain.Verified. It does not decide about
// custom session names or tags from other sources. Start reading at [Rules.Apply].
//
// # Choices where the service's documentation is silent
//
//   - A type that occurs several times in a name, in one RDN or in several, gives one tag with the
//     values joined by "/" in certificate order.
//   - A source identity is made from the same joined common names, so that a certificate with two
//     of them cannot pass for either. Where the common name does not fit (over 64 characters, or
//     characters that a source identity cannot hold) the serial number stands in.
//   - A specifier given as an OID makes a tag named by that OID, one given by name a tag with the
//     usual spelling of the name.
//   - Where a certificate yields more than 50 tags, the first 50 in the order of the mappings are
//     kept and the rest is named in [Attributes.Hint].
package certattr
