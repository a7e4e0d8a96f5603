-- How private CAs publish revocations. A partition is the list that a certificate was bound to when it was issued; '' is the CA's complete list.
ALTER TABLE issued_certificates ADD COLUMN partition_id KEYTEXT NOT NULL DEFAULT '';
ALTER TABLE revoked_certificates ADD COLUMN partition_id KEYTEXT NOT NULL DEFAULT '';
CREATE INDEX revoked_certificates_partition ON revoked_certificates (account, region, issuer_key, partition_id, serial) WHERE partition_id <> '';
CREATE INDEX certificate_authorities_id ON certificate_authorities (id);
DROP TABLE authority_crls;
CREATE TABLE authority_lists (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  uri TEXT NOT NULL,
  paths TEXT NOT NULL,
  size BIGINT NOT NULL,
  dirty BIGINT NOT NULL,
  renew_at BIGINT NOT NULL,
  number BIGINT NOT NULL,
  next_update BIGINT NOT NULL,
  chunks BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority, id)
);
CREATE INDEX authority_lists_id ON authority_lists (id);
CREATE TABLE authority_list_chunks (
  list KEYTEXT NOT NULL,
  number BIGINT NOT NULL,
  n BIGINT NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (list, number, n)
);
UPDATE certificate_authorities SET crl_due_at = 1 WHERE crl_due_at > 0;
CREATE TABLE ocsp_responders (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  key_ref BYTEA NOT NULL,
  certificate BYTEA NOT NULL,
  not_after BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority)
);
CREATE INDEX ocsp_responders_due ON ocsp_responders (due_at) WHERE due_at > 0;
CREATE TABLE authority_policies (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  document TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority)
);
CREATE TABLE authority_permissions (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  principal KEYTEXT NOT NULL,
  source_account KEYTEXT NOT NULL,
  actions TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority, id)
);
CREATE TABLE audit_reports (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  format KEYTEXT NOT NULL,
  bucket KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  PRIMARY KEY (account, region, authority, id)
);
CREATE INDEX audit_reports_due ON audit_reports (due_at) WHERE due_at > 0;
