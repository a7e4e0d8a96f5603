-- Private certificate authorities. Serial numbers are lower-case hex of even length; an issuer key is the hex SHA-256 of a CA's public key.
CREATE TABLE certificate_authorities (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  type KEYTEXT NOT NULL,
  usage_mode KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  failure KEYTEXT NOT NULL,
  configuration TEXT NOT NULL,
  revocation TEXT NOT NULL,
  key_storage KEYTEXT NOT NULL,
  key_ref BYTEA NOT NULL,
  issuer_key KEYTEXT NOT NULL,
  csr BYTEA NOT NULL,
  certificate BYTEA NOT NULL,
  chain TEXT NOT NULL,
  not_before BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  restorable_until BIGINT NOT NULL,
  crl_due_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE INDEX certificate_authorities_creating ON certificate_authorities (created_at) WHERE status = 'CREATING';
CREATE INDEX certificate_authorities_crl_due ON certificate_authorities (crl_due_at) WHERE crl_due_at > 0;
CREATE INDEX certificate_authorities_gone ON certificate_authorities (restorable_until) WHERE restorable_until > 0;
CREATE TABLE issued_certificates (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  serial KEYTEXT NOT NULL,
  template KEYTEXT NOT NULL,
  der BYTEA NOT NULL,
  issued_at BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority, serial)
);
CREATE TABLE revoked_certificates (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  issuer_key KEYTEXT NOT NULL,
  serial KEYTEXT NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  PRIMARY KEY (account, region, issuer_key, serial)
);
CREATE TABLE authority_crls (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  number BIGINT NOT NULL,
  next_update BIGINT NOT NULL,
  der BYTEA NOT NULL,
  PRIMARY KEY (account, region, authority)
);
CREATE INDEX authority_crls_authority ON authority_crls (authority);
CREATE TABLE idempotency_tokens (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  operation KEYTEXT NOT NULL,
  token KEYTEXT NOT NULL,
  request BYTEA NOT NULL,
  result TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, operation, token)
);
CREATE INDEX idempotency_tokens_expiry ON idempotency_tokens (expires_at);
