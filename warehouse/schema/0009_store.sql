-- The sllm-store that a session was a client of.

ALTER TABLE sessions ADD COLUMN store VARCHAR;
ALTER TABLE sessions ADD COLUMN store_address VARCHAR;
ALTER TABLE sessions ADD COLUMN store_pid BIGINT;
ALTER TABLE sessions ADD COLUMN store_version VARCHAR;
ALTER TABLE sessions ADD COLUMN store_start_time_s DOUBLE;
COMMENT ON COLUMN sessions.store IS 'program of the sllm-store that was started for it; NULL: none was, or it was attached to one that ran';
COMMENT ON COLUMN sessions.store_address IS 'of the sllm-store that its loader was a client of; NULL: of none';
COMMENT ON COLUMN sessions.store_pid IS 'of the sllm-store that was started';
COMMENT ON COLUMN sessions.store_version IS 'of the sllm-store; NULL: it does not say, as that of ServerlessLLM';
COMMENT ON COLUMN sessions.store_start_time_s IS 'from the start of the sllm-store until its pool was filled and it was ready; a part of setup_time_s';
