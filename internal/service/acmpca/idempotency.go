package acmpca

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/store"
)

// tokenLife is how long a token makes a request the same one.
const tokenLife = 5 * time.Minute

func requestHash(request any) ([]byte, error) {
	text, err := json.Marshal(request)
	sum := sha256.Sum256(text)
	return sum[:], err
}

// replayed returns what the same request, under the same token, led to before; "" if there was none.
func replayed(call *awsapi.Call, token *string, request any) (string, error) {
	if token == nil {
		return "", nil
	}
	hash, err := requestHash(request)
	if err != nil {
		return "", err
	}
	t, err := call.Tx.GetIdempotencyToken(call.Account, call.Region, call.Op.Name, *token)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !bytes.Equal(t.Request, hash) {
		return "", pca.InvalidArgsException("The idempotency token was used for another request")
	}
	return t.Result, nil
}

func remember(call *awsapi.Call, token *string, request any, result string) error {
	if token == nil {
		return nil
	}
	hash, err := requestHash(request)
	if err != nil {
		return err
	}
	return call.Tx.PutIdempotencyToken(&store.IdempotencyToken{
		Account: call.Account, Region: call.Region, Operation: call.Op.Name, Token: *token, Request: hash, Result: result, ExpiresAt: call.Now.Add(tokenLife),
	})
}
