package main

import (
	"context"
	"runtime/debug"

	"github.com/rolecall/rolecall/internal/early"
)

// currentVersion is the linked version, else that of the module, else "devel".
func currentVersion() string {
	if early.Version != "" {
		return early.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func printVersion(_ context.Context, p *program, _ *inputs) error {
	return p.output([]byte(currentVersion() + "\n"))
}
