-- How many rows each table has.
SELECT format('SELECT %L, count(*) FROM %s', oid::regclass, oid::regclass)
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
    ORDER BY 1 \gexec
