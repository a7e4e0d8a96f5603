package main

import (
	"context"
	"io"
)

func (b *bench) components(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	return nil
}
