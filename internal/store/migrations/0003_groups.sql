-- Groups with their members, instance profiles, account aliases, and what makes boundaries countable.
CREATE TABLE iam_groups (
  account KEYTEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  path KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, name_key)
);
CREATE TABLE group_members (
  account KEYTEXT NOT NULL,
  group_key KEYTEXT NOT NULL,
  user_key KEYTEXT NOT NULL,
  PRIMARY KEY (account, group_key, user_key)
) CLUSTERED;
CREATE INDEX group_members_user ON group_members (account, user_key, group_key);
CREATE TABLE instance_profiles (
  account KEYTEXT NOT NULL,
  name_key KEYTEXT NOT NULL,
  name KEYTEXT NOT NULL,
  path KEYTEXT NOT NULL,
  id KEYTEXT NOT NULL UNIQUE,
  role_key KEYTEXT NOT NULL,
  tags TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account, name_key)
);
CREATE INDEX instance_profiles_role ON instance_profiles (account, role_key, name_key) WHERE role_key <> '';
CREATE TABLE account_aliases (
  account KEYTEXT PRIMARY KEY,
  alias KEYTEXT NOT NULL UNIQUE
);
CREATE TABLE role_deletions (
  account KEYTEXT NOT NULL,
  task KEYTEXT NOT NULL,
  deleted_at BIGINT NOT NULL,
  PRIMARY KEY (account, task)
) CLUSTERED;
ALTER TABLE roles ADD COLUMN trusted TEXT NOT NULL DEFAULT '[]';
CREATE INDEX roles_boundary ON roles (account, boundary, name_key) WHERE boundary <> '';
CREATE INDEX users_boundary ON users (account, boundary, name_key) WHERE boundary <> '';
