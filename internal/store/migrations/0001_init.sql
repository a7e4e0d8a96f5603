-- Types: times are microseconds since 1970 UTC (BIGINT), lists are JSON (TEXT), key columns compare bytewise (KEYTEXT).
-- KEYTEXT and CLUSTERED are the two words that differ by engine; see ddl in migrate.go. Every statement ends with ";" at the end of a line.
CREATE TABLE revision (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  value BIGINT NOT NULL,
  pruned BIGINT NOT NULL
);
INSERT INTO revision (one, value, pruned) VALUES (1, 0, 0);
CREATE TABLE changes (
  revision BIGINT NOT NULL,
  n BIGINT NOT NULL,
  at BIGINT NOT NULL,
  kind KEYTEXT NOT NULL,
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  PRIMARY KEY (revision, n)
) CLUSTERED;
CREATE TABLE server_values (
  name KEYTEXT PRIMARY KEY,
  value BYTEA NOT NULL
);
CREATE TABLE accounts (
  id KEYTEXT PRIMARY KEY,
  name KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE TABLE access_keys (
  id KEYTEXT PRIMARY KEY,
  account KEYTEXT NOT NULL,
  user_name KEYTEXT NOT NULL,
  user_key KEYTEXT NOT NULL,
  secret BYTEA NOT NULL,
  active BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX access_keys_user ON access_keys (account, user_key, id);
CREATE TABLE roles (
  account KEYTEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  path KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  trust_policy TEXT NOT NULL,
  max_session BIGINT NOT NULL,
  boundary KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, name_key)
);
CREATE TABLE users (
  account KEYTEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  path KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL UNIQUE,
  boundary KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, name_key)
);
CREATE TABLE inline_policies (
  account KEYTEXT NOT NULL,
  owner_kind KEYTEXT NOT NULL,
  owner_key KEYTEXT NOT NULL,
  owner_name KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (account, owner_kind, owner_key, name)
);
CREATE TABLE managed_policies (
  account KEYTEXT NOT NULL,
  arn KEYTEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  path KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  default_version KEYTEXT NOT NULL,
  next_version BIGINT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, arn),
  UNIQUE (account, name_key)
);
CREATE TABLE policy_versions (
  account KEYTEXT NOT NULL,
  arn KEYTEXT NOT NULL,
  number BIGINT NOT NULL,
  document TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, arn, number)
);
CREATE TABLE attachments (
  account KEYTEXT NOT NULL,
  owner_kind KEYTEXT NOT NULL,
  owner_key KEYTEXT NOT NULL,
  owner_name KEYTEXT NOT NULL,
  policy_arn KEYTEXT NOT NULL,
  PRIMARY KEY (account, owner_kind, owner_key, policy_arn)
);
CREATE INDEX attachments_policy ON attachments (account, policy_arn, owner_kind, owner_key);
CREATE TABLE trust_anchors (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  source_type KEYTEXT NOT NULL,
  source_data TEXT NOT NULL,
  notifications TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE TABLE profiles (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  require_instance_properties BOOLEAN NOT NULL,
  session_policy TEXT NOT NULL,
  role_arns TEXT NOT NULL,
  managed_policy_arns TEXT NOT NULL,
  duration BIGINT NOT NULL,
  accept_role_session_name BOOLEAN NOT NULL,
  mappings TEXT NOT NULL,
  created_by TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE TABLE crls (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  data BYTEA NOT NULL,
  trust_anchor_id KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE INDEX crls_anchor ON crls (account, region, trust_anchor_id, id);
CREATE TABLE subjects (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  dn TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE TABLE subject_credentials (
  number BIGINT PRIMARY KEY,
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  subject KEYTEXT NOT NULL,
  serial TEXT NOT NULL,
  issuer TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  cert_pem TEXT NOT NULL
);
CREATE INDEX subject_credentials_subject ON subject_credentials (account, region, subject);
CREATE TABLE subject_sightings (
  credential BIGINT PRIMARY KEY,
  seen_at BIGINT NOT NULL,
  failed BIGINT NOT NULL
) CLUSTERED;
CREATE TABLE events (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  time BIGINT NOT NULL,
  id KEYTEXT NOT NULL,
  name TEXT NOT NULL,
  source TEXT NOT NULL,
  username TEXT NOT NULL,
  access_key_id TEXT NOT NULL,
  read_only BOOLEAN NOT NULL,
  resources TEXT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (account, region, time, id)
);
CREATE INDEX events_time ON events (time, id);
CREATE TABLE event_terms (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  term KEYTEXT NOT NULL,
  time BIGINT NOT NULL,
  id KEYTEXT NOT NULL,
  PRIMARY KEY (account, region, term, time, id)
) CLUSTERED;
CREATE TABLE event_blocks (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  end_time BIGINT NOT NULL,
  id BIGINT NOT NULL,
  start_time BIGINT NOT NULL,
  events BIGINT NOT NULL,
  foreign_ids BOOLEAN NOT NULL,
  filter BYTEA NOT NULL,
  head BYTEA NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (account, region, end_time, id)
);
CREATE INDEX event_blocks_foreign ON event_blocks (account, region, end_time, id) WHERE foreign_ids;
CREATE INDEX event_blocks_time ON event_blocks (end_time);
CREATE TABLE log_positions (
  log KEYTEXT PRIMARY KEY,
  position BYTEA NOT NULL
);
