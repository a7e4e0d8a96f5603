-- Active Directory enrollment: directories, which the operator makes, and the connectors, templates and access entries of the API.
CREATE TABLE directories (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  realm KEYTEXT NOT NULL,
  domain KEYTEXT NOT NULL,
  servers TEXT NOT NULL,
  trust TEXT NOT NULL,
  bind_user TEXT NOT NULL,
  bind_password BYTEA NOT NULL,
  keytab BYTEA NOT NULL,
  channel_binding KEYTEXT NOT NULL,
  policy_host KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE INDEX directories_policy_host ON directories (policy_host);
CREATE TABLE directory_registrations (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  directory KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  reason KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, directory)
);
CREATE INDEX directory_registrations_unsettled ON directory_registrations (updated_at) WHERE status IN ('CREATING', 'DELETING');
CREATE TABLE connectors (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  directory KEYTEXT NOT NULL,
  authority KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  reason KEYTEXT NOT NULL,
  address_type KEYTEXT NOT NULL,
  security_groups TEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  policy_changed_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, id)
);
CREATE INDEX connectors_directory ON connectors (account, region, directory);
CREATE INDEX connectors_unsettled ON connectors (updated_at) WHERE status IN ('CREATING', 'DELETING');
CREATE TABLE service_principal_names (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  directory KEYTEXT NOT NULL,
  connector KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  reason KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, directory, connector)
);
CREATE INDEX service_principal_names_unsettled ON service_principal_names (updated_at) WHERE status IN ('CREATING', 'DELETING');
CREATE TABLE connector_templates (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  connector KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL,
  name TEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  definition TEXT NOT NULL,
  policy_schema BIGINT NOT NULL,
  major BIGINT NOT NULL,
  minor BIGINT NOT NULL,
  object_identifier KEYTEXT NOT NULL,
  status KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, connector, id)
);
CREATE UNIQUE INDEX connector_templates_name ON connector_templates (account, region, connector, name_key);
CREATE UNIQUE INDEX connector_templates_object_identifier ON connector_templates (object_identifier);
CREATE INDEX connector_templates_unsettled ON connector_templates (updated_at) WHERE status = 'DELETING';
CREATE TABLE template_access (
  account KEYTEXT NOT NULL,
  region KEYTEXT NOT NULL,
  connector KEYTEXT NOT NULL,
  template KEYTEXT NOT NULL,
  sid KEYTEXT NOT NULL,
  name TEXT NOT NULL,
  enroll KEYTEXT NOT NULL,
  auto_enroll KEYTEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (account, region, connector, template, sid)
);
