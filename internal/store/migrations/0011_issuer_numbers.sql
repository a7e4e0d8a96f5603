-- Certificates and revocations are found by a number of their issuer and the bytes of their serial: small keys keep the trees flat that
-- millions of rows stand in. A number is never changed and never used again. The name is a CA's id for the certificates, and an issuer
-- key for the revocations. Rows are copied in the order of their keys, which writes every page once.
CREATE TABLE issuer_numbers (
  number BIGINT PRIMARY KEY,
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  UNIQUE (account, region, name)
);
INSERT INTO issuer_numbers (number, account, region, name)
  SELECT ROW_NUMBER() OVER (ORDER BY account, region, name), account, region, name FROM (
    SELECT account, region, authority AS name FROM issued_certificates UNION SELECT account, region, issuer_key FROM revoked_certificates
  ) AS issuers;
ALTER TABLE issued_certificates RENAME TO issued_before;
CREATE TABLE issued_certificates (
  issuer BIGINT NOT NULL,
  serial BYTEA NOT NULL,
  template KEYTEXT NOT NULL,
  der BYTEA NOT NULL,
  issued_at BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  partition_id KEYTEXT NOT NULL,
  PRIMARY KEY (issuer, serial)
);
INSERT INTO issued_certificates (issuer, serial, template, der, issued_at, not_after, partition_id)
  SELECT (SELECT n.number FROM issuer_numbers n WHERE n.account = c.account AND n.region = c.region AND n.name = c.authority),
    UNHEX(c.serial), c.template, c.der, c.issued_at, c.not_after, c.partition_id
  FROM issued_before c ORDER BY c.account, c.region, c.authority, c.serial;
DROP TABLE issued_before;
ALTER TABLE revoked_certificates RENAME TO revoked_before;
CREATE TABLE revoked_certificates (
  issuer BIGINT NOT NULL,
  serial BYTEA NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason BIGINT NOT NULL,
  not_after BIGINT NOT NULL,
  partition_id KEYTEXT NOT NULL,
  PRIMARY KEY (issuer, serial)
) CLUSTERED;
INSERT INTO revoked_certificates (issuer, serial, revoked_at, reason, not_after, partition_id)
  SELECT (SELECT n.number FROM issuer_numbers n WHERE n.account = c.account AND n.region = c.region AND n.name = c.issuer_key),
    UNHEX(c.serial), c.revoked_at, c.reason, c.not_after, c.partition_id
  FROM revoked_before c ORDER BY c.account, c.region, c.issuer_key, c.serial;
DROP TABLE revoked_before;
CREATE INDEX revoked_certificates_partition ON revoked_certificates (issuer, partition_id, serial, revoked_at, reason, not_after) WHERE partition_id <> '';
