-- title: Keys of tags that a comparison may mean
-- parameters:
--   by: a key; or tag, for any key
--   value: a value that a run has under the key, where by is tag
SELECT DISTINCT tag.key
FROM (SELECT unnest(map_entries(tags)) AS tag FROM runs)
WHERE tag.key = $by OR ($by = 'tag' AND tag.value = $value)
ORDER BY ALL
