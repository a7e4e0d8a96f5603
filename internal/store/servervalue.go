package store

// ServerValue is a named piece of the server's own state, shared by all nodes.
type ServerValue struct {
	Name  string
	Value []byte
}

func scanServerValue(s scanner, v *ServerValue) error { return s.Scan(&v.Name, blob{&v.Value}) }

// CreateServerValue adds a value, so that of several nodes one sets it first.
func (tx *Tx) CreateServerValue(v *ServerValue) error {
	tx.changed(kindOther, "", "", v.Name)
	return tx.insert(`INSERT INTO server_values (name, value) VALUES ($1, $2)`, v.Name, notNil(v.Value))
}

// PutServerValue adds or replaces a value.
func (tx *Tx) PutServerValue(v *ServerValue) error {
	tx.changed(kindOther, "", "", v.Name)
	_, err := tx.exec(`INSERT INTO server_values (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, v.Name, notNil(v.Value))
	return err
}

// GetServerValue reads one value.
func (tx *Tx) GetServerValue(name string) (*ServerValue, error) {
	return one(tx, scanServerValue, `SELECT name, value FROM server_values WHERE name = $1`, name)
}

// DeleteServerValue removes one value.
func (tx *Tx) DeleteServerValue(name string) error {
	tx.changed(kindOther, "", "", name)
	return tx.remove(`DELETE FROM server_values WHERE name = $1`, name)
}

// ListServerValues pages by name.
func (tx *Tx) ListServerValues(limit int, after string) ([]ServerValue, string, error) {
	return page(tx, scanServerValue, func(v *ServerValue) string { return v.Name }, limit,
		`SELECT name, value FROM server_values WHERE name > $1 ORDER BY name LIMIT $2`, after)
}

// notNil: byte columns are NOT NULL, and a nil slice would be NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
