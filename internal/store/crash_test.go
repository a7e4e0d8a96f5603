package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const crashEnv = "ROLECALL_STORE_CRASH_CHILD"

// TestMain lets the crash test run this binary as the process that gets killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := crashChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashChild writes without end and prints a number only when its write has been acknowledged.
func crashChild(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, Config{Source: "sqlite:" + path})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(os.Getenv(crashEnv + "_FIRST"))
	if err != nil {
		return err
	}
	for i := first; ; i++ {
		err := db.Update(ctx, func(tx *Tx) error {
			role := testRole(fmt.Sprint("r", i))
			e := testEvent(i)
			e.ID = fmt.Sprint("e", i)
			return errors.Join(tx.CreateRole(role), tx.InsertEvents([]Event{e}), tx.PutServerValue(&ServerValue{"last", []byte(strconv.Itoa(i))}))
		})
		if err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}

// kill -9 in the middle of writing loses nothing that was acknowledged and leaves no half of a transaction.
func TestKillLosesNothing(t *testing.T) {
	const kills = 20
	path := filepath.Join(t.TempDir(), "rolecall.db")
	next := 0 // everything below is acknowledged
	for kill := range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashEnv+"="+path, crashEnv+"_FIRST="+strconv.Itoa(next))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatalf("kill %d: the child wrote nothing: %v", kill, cmd.Wait())
		}
		timer := time.AfterFunc(rand.N(40*time.Millisecond), func() { cmd.Process.Kill() })
		acknowledged := lines.Text()
		for lines.Scan() {
			acknowledged = lines.Text()
		}
		io.Copy(io.Discard, out)
		cmd.Wait() // "signal: killed"
		timer.Stop()
		last, err := strconv.Atoi(acknowledged)
		if err != nil {
			t.Fatal(err)
		}
		next = checkAfterCrash(t, path, last)
	}
	t.Logf("%d writes, %d kills", next, kills)
}

// checkAfterCrash returns the first number not written: last+1, or last+2 if the kill came between commit and answer.
func checkAfterCrash(t *testing.T, path string, last int) int {
	t.Helper()
	db, err := Open(t.Context(), Config{Source: "sqlite:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stored := -1
	read(t, db, func(tx *Tx) error {
		v, err := tx.GetServerValue("last")
		if err != nil {
			return err
		}
		if stored, err = strconv.Atoi(string(v.Value)); err != nil {
			return err
		}
		roles, err := tx.count(`SELECT COUNT(*) FROM roles`)
		if err != nil {
			return err
		}
		events, err := tx.count(`SELECT COUNT(*) FROM events`)
		if err != nil {
			return err
		}
		check, err := one(tx, func(s scanner, text *string) error { return s.Scan(text) }, `PRAGMA integrity_check`)
		if err != nil {
			return err
		}
		if stored < last || stored > last+1 || roles != stored+1 || events != stored+1 || *check != "ok" {
			t.Fatalf("acknowledged up to %d; found last %d, %d roles, %d events, integrity %s", last, stored, roles, events, *check)
		}
		return nil
	})
	return stored + 1
}
