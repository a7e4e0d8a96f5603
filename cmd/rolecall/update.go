package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/credfile"
)

const (
	flagProfile = "profile"
	flagOnce    = "once"
)

func update() command {
	return command{
		name:  "update",
		short: "Keep credentials in the AWS credentials file up to date",
		long: `Writes aws_access_key_id, aws_secret_access_key and aws_session_token of one profile into
AWS_SHARED_CREDENTIALS_FILE, or ~/.aws/credentials, and replaces them before they expire. Everything
else in the file stays as it is, to the byte. A refresh that fails is tried again, with growing
pauses, for as long as it takes; a refusal at the very first one ends the program.`,
		flags: append(sessionFlags(),
			flag{name: flagProfile, value: "default", arg: "NAME", help: "profile to write"},
			flag{name: flagOnce, kind: boolFlag, help: "write once and end"}),
		groups: sessionGroups(),
		run:    runUpdate,
	}
}

func runUpdate(ctx context.Context, p *program, in *inputs) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	path, err := credfile.Path(p.getenv)
	if err != nil {
		return err
	}
	if err := credfile.CheckProfile(in.text(flagProfile)); err != nil {
		return &problem{err.Error(), "check --profile"}
	}
	maker, err := p.newSessionMaker(in)
	if err != nil {
		return err
	}
	u := &updater{
		fetch: func(ctx context.Context) (*credclient.Credentials, error) {
			return maker.create(ctx, in.text(flagRole), in.text(flagProfileARN))
		},
		write: func(ctx context.Context, c *credclient.Credentials) error {
			return credfile.Update(ctx, path, in.text(flagProfile), &credfile.Values{
				AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
			})
		},
		log: p.log, once: in.truth(flagOnce), now: time.Now, wait: waitUntil,
	}
	return u.run(ctx)
}

// leastUpdate is the least time between two updates that succeed, whatever the server grants.
const leastUpdate = time.Minute

// updater is the loop of update.
type updater struct {
	fetch func(context.Context) (*credclient.Credentials, error)
	write func(context.Context, *credclient.Credentials) error
	log   func(string)
	once  bool
	now   func() time.Time
	wait  func(ctx context.Context, now func() time.Time, until time.Time) error
}

// run ends without an error when ctx does.
func (u *updater) run(ctx context.Context) error {
	failures, succeeded := 0, false
	for {
		next, err := u.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (u.once || !succeeded && !credclient.Transient(err)):
			return err
		case err != nil:
			failures++
			pause := credclient.RetryPause(failures)
			next = u.now().Add(pause)
			u.log("update failed, next attempt in " + pause.Round(time.Second/10).String() + ": " + err.Error())
		case u.once:
			return nil
		default:
			failures, succeeded = 0, true
			u.log("Credentials will be refreshed at " + next.Format(time.RFC3339))
		}
		if u.wait(ctx, u.now, next) != nil {
			return nil
		}
	}
}

// round makes one update and says when the next one is due.
func (u *updater) round(ctx context.Context) (time.Time, error) {
	creds, err := u.fetch(ctx)
	if err != nil {
		return time.Time{}, err
	}
	now := u.now()
	held, err := credclient.Hold(creds, now)
	if err != nil {
		return time.Time{}, err
	}
	if err := u.write(ctx, creds); err != nil {
		return time.Time{}, err
	}
	window := credclient.RefreshWindow(held.Expires.Sub(now))
	next := held.Expires.Add(credclient.Jitter(window) - window)
	if least := now.Add(leastUpdate); next.Before(least) {
		next = least
	}
	return next, nil
}

// waitUntil sleeps in short pieces: a timer stands still while a machine is suspended, the clock on the wall does not.
func waitUntil(ctx context.Context, now func() time.Time, until time.Time) error {
	until = until.Round(0) // without the monotonic reading
	for {
		left := until.Sub(now().Round(0))
		if left <= 0 {
			return ctx.Err()
		}
		t := time.NewTimer(min(left, 30*time.Second))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}
