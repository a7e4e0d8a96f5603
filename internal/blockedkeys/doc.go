// Package blockedkeys is the operator's list of public keys that nothing may be certified for or verified with, because
// somebody else has the private key: keys that leaked, and those that Debian's OpenSSL made from 2006 to 2008
// (CVE-2008-0166). The lists are files; none comes with the server.
//
// It fetches nothing, and it finds no weakness in a key by itself: what can be seen from a key alone is the business of
// packages authority and certchain.
//
// A file has one entry per line, in hex of either case, and lines that are blank or begin with #. The length says what an
// entry is:
//
//   - 64 digits: the SHA-256 of a key's SubjectPublicKeyInfo in DER; or, as in the lists that the CA/Browser Forum's Baseline
//     Requirements §6.1.1.3 refer to (dwk_blocklists), the SHA-256 of an RSA modulus or of an elliptic curve point's x
//     coordinate, in as few bytes as it takes;
//   - 30 digits: the first 120 bits of the latter two, as in the list of badkeys (its blocklist.dat has them in binary);
//   - 20 digits: the last 80 bits of a SHA-1 or MD5, as in Debian's openssl-blacklist (openssl-vulnkey(1): of the line that
//     `openssl rsa -noout -modulus` prints) and openssh-blacklist (ssh-vulnkey(1): of an RSA key in the form of SSH).
//
// A hash that is cut to 80 bits can be met by chance: with ten million entries, by one key in 2^56.
//
// Start with [Open] and [List.Contains]; parse.go reads the files.
package blockedkeys
