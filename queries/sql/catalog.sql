-- title: Tables and views, column by column
-- columns:
--   relation: the table or view; kind: which of both; relation_comment, comment: what it and the column mean
SELECT c.table_name AS relation, CASE WHEN v.view_name IS NULL THEN 'table' ELSE 'view' END AS kind,
       coalesce(t.comment, v.comment, '') AS relation_comment,
       c.column_name, c.data_type, coalesce(c.comment, '') AS comment
FROM duckdb_columns() c
LEFT JOIN duckdb_tables() t ON t.database_name = c.database_name AND t.schema_name = c.schema_name AND t.table_name = c.table_name
LEFT JOIN duckdb_views() v ON v.database_name = c.database_name AND v.schema_name = c.schema_name AND v.view_name = c.table_name
WHERE NOT c.internal AND c.database_name = current_database()
ORDER BY relation, c.column_index
