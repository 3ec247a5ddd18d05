-- Which device generated.

ALTER TABLE inferences ADD COLUMN device VARCHAR;
COMMENT ON COLUMN inferences.threads IS 'threads at work; NULL: a GPU was';
COMMENT ON COLUMN inferences.device IS 'that computed: host or cuda:N; NULL: none did';
