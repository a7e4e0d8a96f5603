// Package archtest holds the tests that keep the project's shape: which package may import which, how long a
// file or a function may be. It has no code of its own. Start with imports_test.go.
package archtest
