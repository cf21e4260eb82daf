-- The tables that have rows.
SELECT format('SELECT %L WHERE EXISTS (SELECT FROM %s)', oid::regclass, oid::regclass)
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
    ORDER BY 1 \gexec
