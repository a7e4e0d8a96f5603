package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Flags are parsed here rather than by a library: the texts must be those of the official helper, and the start of the
// program, which an SDK waits for, must be cheap.

type flagKind int

const (
	stringFlag flagKind = iota
	boolFlag            // given without a value it is true
	intFlag
	listFlag // may be given several times
)

// flag describes a flag of a command.
type flag struct {
	name    string
	kind    flagKind
	value   string   // default
	allowed []string // nil: anything
	arg     string   // name of the value in the help
	help    string
}

// inputs are the flags of one command line.
type inputs struct {
	values  map[string]string   // defaults included; of several the last
	lists   map[string][]string // of listFlags, defaults not included
	given   map[string]bool
	args    []string     // positional arguments, which most commands ignore as the official helper does
	secrets secretReader // for in.secret
	streams streamReader // for in.stream
	keys    sourceOnce   // for source
}

var errHelp = errors.New("help wanted")

// parseFlags reads --name value, --name=value and, for truth values, --name; -- ends the flags.
func parseFlags(flags []flag, args []string) (*inputs, error) {
	in := &inputs{values: make(map[string]string, len(flags)), given: map[string]bool{}, lists: map[string][]string{}}
	for _, f := range flags {
		in.values[f.name] = f.value
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			in.args = append(in.args, args...)
			return in, nil
		case arg == "-h" || arg == "--help":
			return nil, errHelp
		case len(arg) < 2 || arg[0] != '-':
			in.args = append(in.args, arg)
			continue
		case arg[1] != '-':
			return nil, fmt.Errorf("unknown shorthand flag: %s in %s", strconv.QuoteRune([]rune(arg[1:])[0]), flagName(arg))
		}
		name, value, hasValue := strings.Cut(arg[2:], "=")
		if name == "" {
			return nil, errors.New("bad flag syntax: an argument begins with --=")
		}
		i := slices.IndexFunc(flags, func(f flag) bool { return f.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown flag: --%s", name)
		}
		f := &flags[i]
		switch {
		case hasValue:
		case f.kind == boolFlag:
			value = "true"
		case len(args) == 0:
			return nil, fmt.Errorf("flag needs an argument: --%s", name)
		default:
			value, args = args[0], args[1:]
		}
		if err := f.check(value); err != nil {
			return nil, fmt.Errorf("invalid argument %q for \"--%s\" flag: %w", value, name, err)
		}
		in.values[name], in.given[name] = value, true
		if f.kind == listFlag {
			in.lists[name] = append(in.lists[name], value)
		}
	}
	return in, nil
}

// flagName cuts what follows a = off: an unknown argument may hold a password that must not be repeated.
func flagName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
}

func (f *flag) check(value string) error {
	switch {
	case f.kind == boolFlag:
		_, err := strconv.ParseBool(value)
		return err
	case f.kind == intFlag:
		_, err := strconv.ParseInt(value, 0, 0)
		return err
	case f.allowed != nil && !slices.Contains(f.allowed, value):
		return fmt.Errorf("%s is not included in %s", value, strings.Join(f.allowed, ","))
	}
	return nil
}

// group is two flags that exclude each other, in the order that the official helper names them.
type group [2]string

// exclusions reports the first violated group, in the official helper's order and words.
func (in *inputs) exclusions(groups []group) error {
	sorted := slices.Clone(groups)
	slices.SortFunc(sorted, func(a, b group) int { return strings.Compare(a[0]+" "+a[1], b[0]+" "+b[1]) })
	for _, g := range sorted {
		if in.given[g[0]] && in.given[g[1]] {
			set := []string{g[0], g[1]}
			slices.Sort(set)
			return fmt.Errorf("if any flags in the group [%s %s] are set none of the others can be; [%s %s] were all set",
				g[0], g[1], set[0], set[1])
		}
	}
	return nil
}

func (in *inputs) text(name string) string { return in.values[name] }

// list is every value of a listFlag, in the order of the command line.
func (in *inputs) list(name string) []string { return in.lists[name] }

func (in *inputs) isSet(name string) bool { return in.given[name] }

// truth and number read values that check has passed.
func (in *inputs) truth(name string) bool {
	v, _ := strconv.ParseBool(in.values[name])
	return v
}

func (in *inputs) number(name string) int {
	v, _ := strconv.ParseInt(in.values[name], 0, 0)
	return int(v)
}
