// Command hello is the floor of the process benchmark: the least that a Go program costs.
package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
