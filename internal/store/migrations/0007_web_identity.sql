-- Web identity: the OpenID Connect providers that an account trusts, and the account as an issuer itself.
CREATE TABLE oidc_providers (
  account KEYTEXT NOT NULL,
  url KEYTEXT NOT NULL,
  client_ids TEXT NOT NULL,
  thumbprints TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, url)
);
CREATE TABLE oidc_issuers (
  account KEYTEXT PRIMARY KEY,
  enabled BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE oidc_issuer_keys (
  account KEYTEXT NOT NULL,
  algorithm KEYTEXT NOT NULL,
  sequence BIGINT NOT NULL,
  id KEYTEXT NOT NULL,
  public BYTEA NOT NULL,
  private BYTEA NOT NULL,
  signs_from BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, algorithm, sequence)
);
