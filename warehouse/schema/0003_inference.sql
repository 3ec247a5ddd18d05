-- What a generation was asked for stands beside what it gave.

ALTER TABLE inferences ADD COLUMN unsupported VARCHAR;
ALTER TABLE inferences ADD COLUMN token_times_s VARCHAR;
ALTER TABLE inferences ADD COLUMN max_new_tokens BIGINT;
ALTER TABLE inferences ADD COLUMN temperature DOUBLE;
ALTER TABLE inferences ADD COLUMN top_p DOUBLE;
ALTER TABLE inferences ADD COLUMN seed BIGINT;
ALTER TABLE inferences ADD COLUMN threads BIGINT;
COMMENT ON COLUMN inferences.unsupported IS 'why there is no generation, where the load is not to blame: an architecture or a tokenizer that is not known';
COMMENT ON COLUMN inferences.token_times_s IS 'JSON array of seconds, one a token: the first since the beginning, others since the one before';
COMMENT ON COLUMN inferences.max_new_tokens IS 'tokens asked for at most';
COMMENT ON COLUMN inferences.temperature IS 'of the draw; 0: the likeliest token is taken';
COMMENT ON COLUMN inferences.top_p IS 'part of the probability that tokens were drawn from';
COMMENT ON COLUMN inferences.seed IS 'of the draw; NULL: none';
COMMENT ON COLUMN inferences.threads IS 'threads at work';
