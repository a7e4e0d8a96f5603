package server

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/follow"
)

// blockedInterval is how often the lists of blocked keys are looked at: a look is a few calls of stat.
const blockedInterval = 5 * time.Second

// followBlocked says what is on the list, and keeps it fresh.
func (s *Server) followBlocked(background context.Context) {
	if s.blocked == nil {
		return
	}
	entries, files := s.blocked.Size()
	s.log.Info("keys are blocked", "entries", entries, "files", files)
	s.work(func() { follow.Run(background, blockedInterval, s.blocked.Reload, s.logBlocked) })
}

func (s *Server) logBlocked(err error) {
	if err != nil {
		s.log.Error("the lists of blocked keys cannot be read; the list in use stays", "error", err)
		return
	}
	entries, files := s.blocked.Size()
	s.log.Info("the lists of blocked keys are in use", "entries", entries, "files", files)
}
