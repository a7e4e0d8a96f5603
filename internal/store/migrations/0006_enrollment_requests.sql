-- What was issued over the enrollment protocols: for status queries, and to know the holder of a certificate to renew.
CREATE TABLE enrollment_requests (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  connector KEYTEXT NOT NULL,
  id BIGINT NOT NULL,
  authority KEYTEXT NOT NULL,
  serial KEYTEXT NOT NULL,
  sid KEYTEXT NOT NULL,
  template KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, connector, id)
);
CREATE UNIQUE INDEX enrollment_requests_serial ON enrollment_requests (account, region, authority, serial);
-- The next request id of each connector that no node has reserved.
CREATE TABLE enrollment_counters (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  connector KEYTEXT NOT NULL,
  next BIGINT NOT NULL,
  PRIMARY KEY (account, region, connector)
);
