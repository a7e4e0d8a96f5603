package server

import (
	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// DB is the server's store, for the program that started the server and its tests.
func (s *Server) DB() *store.DB { return s.db }

// Ring is the key ring in use, for the program that started the server and its tests.
func (s *Server) Ring() *keyring.Ring { return s.ring }

// BlockedKeys is the list of blocked keys in use, nil for none, for the program that started the server and its tests.
func (s *Server) BlockedKeys() *blockedkeys.List { return s.blocked }
