-- Enrollment over Secure Transport (RFC 7030): what machines without a directory may enroll.
CREATE TABLE enrollment_profiles (
  name KEYTEXT NOT NULL,
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  template KEYTEXT NOT NULL,
  validity_seconds BIGINT NOT NULL,
  subject KEYTEXT NOT NULL,
  alternatives KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (name)
);
-- Tokens that enroll. The secret itself is nowhere: mac is its HMAC under the key ring's key key_id.
CREATE TABLE enrollment_tokens (
  id KEYTEXT NOT NULL,
  profile KEYTEXT NOT NULL,
  key_id BIGINT NOT NULL,
  mac BYTEA NOT NULL,
  subject KEYTEXT NOT NULL,
  alternatives KEYTEXT NOT NULL,
  uses_left BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (id)
);
CREATE INDEX enrollment_tokens_expiry ON enrollment_tokens (expires_at);
-- Which profile issued a certificate: only that one renews it.
CREATE TABLE profile_certificates (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  serial KEYTEXT NOT NULL,
  profile KEYTEXT NOT NULL,
  PRIMARY KEY (account, region, authority, serial)
);
