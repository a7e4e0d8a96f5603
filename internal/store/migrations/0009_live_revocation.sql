-- Revocations that a node learnt by asking: sessions of these certificates end on every node. Rows live as long as such sessions could.
CREATE TABLE learned_revocations (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  anchor KEYTEXT NOT NULL,
  issuer_key KEYTEXT NOT NULL,
  serial KEYTEXT NOT NULL,
  learned_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, anchor, serial, issuer_key)
);
CREATE INDEX learned_revocations_age ON learned_revocations (learned_at);
DELETE FROM server_values WHERE name LIKE 'rolesanywhere-anchors/%';
