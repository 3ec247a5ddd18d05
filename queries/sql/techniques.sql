-- title: The ways in which models were loaded, in the order in which they were first measured
SELECT format, engine, loader
FROM runs
GROUP BY ALL
ORDER BY min(started_at), format, engine, loader
