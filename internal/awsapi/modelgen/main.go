// Modelgen writes the Go types and shape tables of the services that rolecall speaks. It reads AWS's published API
// models (service-2.json, plain or gzip) and a keep-list, and writes one package per service. It copies no
// documentation: names, wire forms and constraints only. It does not write handlers. Its output is deterministic and
// checked in; nothing needs the models to build or test.
//
// Start reading at run; emit.go writes the Go text.
package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

//go:embed keep.txt
var keepList string

func main() {
	models := flag.String("models", "", "`folder` with SERVICE/VERSION/service-2.json[.gz]")
	out := flag.String("out", "internal/awsapi/model", "`folder` to write the packages to")
	flag.Parse()
	if err := run(*models, *out, keepList); err != nil {
		fmt.Fprintln(os.Stderr, "modelgen:", err)
		os.Exit(1)
	}
}

// run writes the package of every service in the keep-list.
func run(models, out, list string) error {
	keep, err := parseKeep(list)
	if err != nil {
		return err
	}
	services := make([]string, 0, len(keep))
	for s := range keep {
		services = append(services, s)
	}
	sort.Strings(services)
	for _, s := range services {
		m, err := load(models, s)
		if err != nil {
			return err
		}
		files, err := generate(s, m, keep[s])
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		dir := filepath.Join(out, packageName(s))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseKeep reads lines of a service and its operations.
func parseKeep(list string) (map[string][]string, error) {
	keep := map[string][]string{}
	sc := bufio.NewScanner(bytes.NewBufferString(list))
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) == 1 {
			return nil, fmt.Errorf("keep-list: %s has no operations", f[0])
		}
		keep[f[0]] = append(keep[f[0]], f[1:]...)
	}
	return keep, sc.Err()
}
