package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/setup"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/service/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

// directories asks Active Directory for the connector's service, with what enrollment asks it with.
type directories struct {
	db   *store.DB
	ring *keyring.Ring
}

// client connects as the directory's account and proves that the domain is the one that was registered.
func (d directories) client(ctx context.Context, row *store.Directory) (*directory.Client, error) {
	_, password, err := enroll.OpenCredentials(d.ring, row)
	if err != nil {
		return nil, err
	}
	cfg, err := enroll.DirectoryConfig(row, row.BindUser, password)
	if err != nil {
		return nil, err
	}
	client, err := directory.New(cfg)
	if err != nil {
		return nil, err
	}
	domain, err := client.Domain(ctx)
	if err == nil && domain.Realm() != row.Realm {
		err = fmt.Errorf("%w: it is of the realm %s", pcaconnectorad.ErrNotSupported, domain.Realm())
	}
	if err != nil {
		client.Close()
		return nil, classify(err)
	}
	return client, nil
}

// classify says in the service's words why a directory gave no answer.
func classify(err error) error {
	switch {
	case errors.Is(err, directory.ErrServiceAccount):
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrAccessDenied, err)
	case errors.Is(err, directory.ErrNoDomain):
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrNotSupported, err)
	case errors.Is(err, directory.ErrUnavailable):
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrNotReachable, err)
	}
	return err
}

func (d directories) Reach(ctx context.Context, row *store.Directory) error {
	client, err := d.client(ctx, row)
	if err != nil {
		return err
	}
	client.Close()
	return nil
}

func (d directories) Principal(ctx context.Context, row *store.Directory) error {
	client, err := d.client(ctx, row)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Service(ctx, row.ServicePrincipal())
	switch {
	case errors.Is(err, directory.ErrDuplicatePrincipal):
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrPrincipalElsewhere, err)
	case errors.Is(err, directory.ErrNoPrincipal): // this server writes none
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrAccessDenied, err)
	}
	return classify(err)
}

func (d directories) Register(ctx context.Context, row *store.Directory) error {
	client, err := d.client(ctx, row)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := setup.Load(ctx, d.db, d.ring, row.Account, row.Region, row.ID)
	if err != nil {
		return err
	}
	_, err = s.Register(ctx, client)
	if errors.Is(err, setup.ErrNoConnector) {
		return nil // the CA went meanwhile, which the connector is asked about elsewhere
	}
	if err != nil {
		return fmt.Errorf("%w: %w", pcaconnectorad.ErrNotRegistered, classify(err))
	}
	return nil
}
