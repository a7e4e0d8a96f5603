package main

import (
	"context"
	"fmt"
	"strings"
)

func completion() command {
	return command{
		name:  "completion",
		short: "Print a completion script for bash, zsh or fish",
		args:  "bash|zsh|fish",
		long: `The script completes commands, flags, and the values of flags. To use it in this shell and later ones:

  bash:  rolecall completion bash > ~/.local/share/bash-completion/completions/rolecall
  zsh:   rolecall completion zsh > "${fpath[1]}/_rolecall"
  fish:  rolecall completion fish > ~/.config/fish/completions/rolecall.fish`,
		run: runCompletion,
	}
}

// runCompletion takes the tables of commands and flags apart when it is run, so the script is always that of this program.
func runCompletion(_ context.Context, p *program, in *inputs) error {
	shell := ""
	if len(in.args) == 1 {
		shell = in.args[0]
	}
	switch shell {
	case "bash":
		return p.output([]byte(bashCompletion(p.name)))
	case "zsh":
		return p.output([]byte(zshCompletion(p.name)))
	case "fish":
		return p.output([]byte(fishCompletion(p.name)))
	}
	return &usageError{problem: "name one shell: bash, zsh or fish", command: "completion"}
}

// takesPath reports whether file names are worth offering for a flag.
func (f *flag) takesPath() bool { return f.arg == "FILE" || f.arg == "PATH" }

// shells are the arguments of completion.
const shells = "bash zsh fish"

func commandNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return append(names, "help")
}

func bashCompletion(name string) string {
	var b strings.Builder
	fn := "_" + name
	fmt.Fprintf(&b, "# bash completion for %s\n%s() {\n", name, fn)
	b.WriteString("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} flags= values=\n\tCOMPREPLY=()\n")
	fmt.Fprintf(&b, "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\treturn\n\tfi\n", strings.Join(commandNames(), " "))
	b.WriteString("\tcase $command in\n")
	fmt.Fprintf(&b, "\thelp) values='%s' ;;\n\tcompletion) values='%s' ;;\n", strings.Join(commandNames(), " "), shells)
	for _, c := range commands() {
		if len(c.flags) == 0 {
			continue
		}
		var names []string
		for _, f := range c.flags {
			names = append(names, "--"+f.name)
		}
		fmt.Fprintf(&b, "\t%s) flags='%s --help' ;;\n", c.name, strings.Join(names, " "))
	}
	b.WriteString("\tesac\n\tcase $prev in\n")
	paths, plain := map[string]bool{}, map[string]bool{}
	var pathFlags, plainFlags []string
	for _, c := range commands() {
		for _, f := range c.flags {
			word := "--" + f.name
			switch {
			case f.allowed != nil && !plain[word]:
				fmt.Fprintf(&b, "\t%s)\n\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n\t\treturn\n\t\t;;\n", word, strings.Join(f.allowed, " "))
				plain[word] = true
			case f.takesPath() && !paths[word]:
				pathFlags, paths[word] = append(pathFlags, word), true
			case f.kind != boolFlag && f.allowed == nil && !f.takesPath() && !plain[word]:
				plainFlags, plain[word] = append(plainFlags, word), true
			}
		}
	}
	fmt.Fprintf(&b, "\t%s)\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n\t\treturn\n\t\t;;\n", strings.Join(pathFlags, "|"))
	fmt.Fprintf(&b, "\t%s) return ;;\n\tesac\n", strings.Join(plainFlags, "|"))
	fmt.Fprintf(&b, "\tmapfile -t COMPREPLY < <(compgen -W \"$flags $values\" -- \"$cur\")\n}\ncomplete -o filenames -F %s %s\n", fn, name)
	return b.String()
}

func zshCompletion(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n\n_%s() {\n\tlocal -a commands\n\tcommands=(\n", name, name)
	for _, c := range commands() {
		fmt.Fprintf(&b, "\t\t'%s:%s'\n", c.name, quoteZsh(c.short, ":"))
	}
	b.WriteString("\t\t'help:Explain a command'\n\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tcase $words[2] in\n")
	fmt.Fprintf(&b, "\thelp) _describe command commands ;;\n\tcompletion) _values shell %s ;;\n", shells)
	for _, c := range commands() {
		if len(c.flags) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\t%s)\n\t\tshift words\n\t\t(( CURRENT-- ))\n\t\t_arguments \\\n", c.name)
		for _, f := range c.flags {
			repeat, action := "", ""
			if f.kind == listFlag {
				repeat = "*"
			}
			switch {
			case f.kind == boolFlag:
			case f.allowed != nil:
				action = ":" + f.arg + ":(" + strings.Join(f.allowed, " ") + ")"
			case f.takesPath():
				action = ":" + f.arg + ":_files"
			default:
				action = ":" + f.arg + ": "
			}
			fmt.Fprintf(&b, "\t\t\t'%s--%s[%s]%s' \\\n", repeat, f.name, quoteZsh(f.help, ":[]"), action)
		}
		b.WriteString("\t\t\t'--help[explain the command]'\n\t\t;;\n")
	}
	fmt.Fprintf(&b, "\tesac\n}\n\nif [ \"$funcstack[1]\" = _%s ]; then\n\t_%s \"$@\"\nelse\n\tcompdef _%s %s\nfi\n", name, name, name, name)
	return b.String()
}

// quoteZsh makes s fit between single quotes and within a specification in which special characters have a meaning.
func quoteZsh(s, special string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `'\''`)
	for _, c := range special {
		s = strings.ReplaceAll(s, string(c), `\`+string(c))
	}
	return s
}

func fishCompletion(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %s\ncomplete -c %s -f\n", name, name)
	line := func(condition, rest string) { fmt.Fprintf(&b, "complete -c %s -n '%s' %s\n", name, condition, rest) }
	for _, c := range commands() {
		line("__fish_use_subcommand", fmt.Sprintf("-a %s -d '%s'", c.name, quoteFish(c.short)))
	}
	line("__fish_use_subcommand", "-a help -d 'Explain a command'")
	line("__fish_seen_subcommand_from help", "-a '"+strings.Join(commandNames(), " ")+"'")
	line("__fish_seen_subcommand_from completion", "-a '"+shells+"'")
	for _, c := range commands() {
		for _, f := range c.flags {
			value := " -x"
			switch {
			case f.kind == boolFlag:
				value = ""
			case f.allowed != nil:
				value = " -x -a '" + strings.Join(f.allowed, " ") + "'"
			case f.takesPath():
				value = " -r -F"
			}
			line("__fish_seen_subcommand_from "+c.name, fmt.Sprintf("-l %s%s -d '%s'", f.name, value, quoteFish(f.help)))
		}
	}
	return b.String()
}

func quoteFish(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", `\'`)
}
