package main

import (
	"bufio"
	"io"
	"os"
	"os/signal"
	"strings"
)

// askPassword asks at the terminal, never on the standard streams: those belong to whoever started the program.
func askPassword(prompt string) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		return nil, &problem{"there is no terminal to ask for the password at", "give it in a file, an environment variable or a descriptor"}
	}
	defer in.Close()
	defer out.Close()
	restore, err := hideInput(in)
	if err != nil {
		return nil, &problem{"the terminal cannot hide what is typed", "give the password in a file, an environment variable or a descriptor"}
	}
	// An interrupt must not leave the terminal without echo.
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	stop := make(chan struct{})
	go func() {
		select {
		case <-interrupted:
			restore()
			os.Exit(130)
		case <-stop:
		}
	}()
	defer func() {
		signal.Stop(interrupted)
		close(stop)
		restore()
		io.WriteString(out, "\n")
	}()
	if _, err := io.WriteString(out, prompt); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxSecret+1)).ReadString('\n')
	if err != nil && line == "" {
		return nil, &problem{"no password was typed", ""}
	}
	return []byte(strings.TrimRight(line, "\r\n")), nil
}
