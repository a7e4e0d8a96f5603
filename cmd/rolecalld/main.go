// Command rolecalld is the server: temporary, role-based credentials for workloads that hold an X.509 certificate.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set at link time.
var version = "devel"

// gcPercent lets the heap grow to two and a half times what lives before it is collected. What lives is small (a few
// MiB), so that the default would collect dozens of times a second under load. GOGC in the environment wins.
const gcPercent = 150

// diskWaiters is how many threads wait for the disk at most times under load: the audit log's and the store's. The
// runtime takes a processor back from such a wait only after a while, and requests would wait with it.
const diskWaiters = 2

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + diskWaiters)
	}
	os.Exit(process())
}

// process is the program as a process of its own: signals end it.
func process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
}

// hintError is an error that knows what to do about it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }
func (e *hintError) Unwrap() error { return e.err }

// run is the whole program: tests call it with their own arguments and environment.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	root := rootCommand(getenv)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "rolecalld: %v\n", err)
	var h *hintError
	if errors.As(err, &h) {
		fmt.Fprintf(stderr, "hint: %s\n", h.hint)
	}
	return 1
}

func rootCommand(getenv func(string) string) *cobra.Command {
	root := &cobra.Command{
		Use:   "rolecalld",
		Short: "IAM Roles Anywhere that you run yourself",
		Long: `rolecalld is IAM Roles Anywhere that you run yourself: a workload proves who it is with an
X.509 certificate and gets temporary, role-based credentials that AWS clients accept.

Start with:  rolecalld serve --data-dir ./data
or, to see everything work in a new folder:  rolecalld quickstart`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(getenv), quickstartCommand(getenv), accountCommand(getenv), policiesCommand(getenv), templateCommand(getenv), adCommand(getenv), estCommand(getenv), enrollTokenCommand(getenv), keysCommand(getenv), caCommand(getenv), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
