package pcaconnectorad

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/store"
)

// tokenLife is how long a token makes a request the same one.
const tokenLife = 8 * time.Hour

// once runs create unless the same request, under the same token, has been carried out: then it answers as before. The
// request must not hold the token itself.
func once(call *awsapi.Call, token *string, request any, create func() (string, error)) (string, error) {
	if token == nil {
		return create()
	}
	text, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256(text)
	t, err := call.Tx.GetIdempotencyToken(call.Account, call.Region, call.Op.Action(), *token)
	switch {
	case err == nil && !bytes.Equal(t.Request, hash[:]):
		return "", conflict("AWS::PCAConnectorAD::ClientToken", *token, "The client token was used for another request")
	case err == nil:
		return t.Result, nil
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	result, err := create()
	if err != nil {
		return "", err
	}
	return result, call.Tx.PutIdempotencyToken(&store.IdempotencyToken{
		Account: call.Account, Region: call.Region, Operation: call.Op.Action(), Token: *token, Request: hash[:], Result: result,
		ExpiresAt: call.Now.Add(tokenLife),
	})
}
