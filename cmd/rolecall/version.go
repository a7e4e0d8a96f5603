package main

import (
	"context"
	"runtime/debug"
)

var version string // set by the linker: -X main.version=1.2.3

// currentVersion is the linked version, else that of the module, else "devel".
func currentVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func printVersion(_ context.Context, p *program, _ *inputs) error {
	return p.output([]byte(currentVersion() + "\n"))
}
