-- The views had a step of their own; they are in views.sql now, and a step is
-- some statement.

SELECT 'see views.sql';
