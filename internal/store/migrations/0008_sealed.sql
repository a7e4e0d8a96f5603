-- Which master key sealed a value is in its first five bytes: finding what depends on a key must not read every row.
CREATE INDEX access_keys_sealed ON access_keys (substr(secret, 1, 5), id);
CREATE INDEX certificate_authorities_sealed ON certificate_authorities (substr(key_ref, 1, 5), id);
CREATE INDEX ocsp_responders_sealed ON ocsp_responders (substr(key_ref, 1, 5), authority);
