-- title: The columns of load_facts, in order
SELECT column_name
FROM duckdb_columns()
WHERE table_name = 'load_facts' AND database_name = current_database()
ORDER BY column_index
