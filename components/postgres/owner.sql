-- The one role that may connect from outside, and its database. Run at every start, so that both are as declared.
\set password `cat "$CONNECTION/password"`

-- A statement that fails would stand in the log, password and all.
SET log_min_error_statement = panic;

SELECT format('CREATE ROLE %I', :'owner')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
ALTER ROLE :"owner" LOGIN PASSWORD :'password';

SELECT format('CREATE DATABASE %I OWNER %I', :'owner', :'owner')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'owner') \gexec
REVOKE ALL ON DATABASE :"owner" FROM PUBLIC;
