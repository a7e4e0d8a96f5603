// Package early answers "rolecall version" before the packages that the other commands need are initialised: they take
// longer than the answer. Its subpackage certificate does the same for read-certificate-data.
//
// It works from an init function. The Go specification ("Package initialization") has packages initialised in the order of
// their import paths, each as soon as all that it imports is: one that imports little comes before net/http, whose own
// imports come late. So these packages must import little, and nothing but their init function may have an effect. What
// is not exactly a call that they know, or goes wrong, they leave to the program, which does the same and tells errors.
// Start with [Version].
package early

import "os"

// Version is set by the linker: -X github.com/rolecall/rolecall/internal/early.Version=1.2.3. Without it nothing is answered here.
var Version string

func init() {
	if len(os.Args) != 2 || Version == "" || os.Args[1] != "version" && os.Args[1] != "--version" {
		return
	}
	if _, err := os.Stdout.WriteString(Version + "\n"); err == nil {
		os.Exit(0)
	}
}
