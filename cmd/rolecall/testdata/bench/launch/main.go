// Command launch runs a program N times and prints the medians of wall time and CPU time in nanoseconds and the largest
// resident set in bytes. It is a process of its own because Linux counts the memory of the process that starts a program
// towards that program's peak, and a test binary is large.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || n < 1 {
		fail(os.Args[1], err)
	}
	wall, cpu, peak := make([]int64, n), make([]int64, n), int64(0)
	for i := range n {
		cmd := exec.Command(os.Args[2], os.Args[3:]...)
		cmd.Stderr = os.Stderr
		start := time.Now()
		if err := cmd.Run(); err != nil {
			fail(os.Args[2], err)
		}
		wall[i] = int64(time.Since(start))
		cpu[i] = int64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime())
		peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss*1024)
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	fmt.Println(wall[n/2], cpu[n/2], peak)
}

func fail(what string, err error) {
	fmt.Fprintln(os.Stderr, what, err)
	os.Exit(1)
}
