#!/bin/sh
# Restores the newest backup, or the one that $BACKUP names, into a database without rows: all of it, or nothing.
set -eu
. "$CONFIG/connect.sh"
cd "$BACKUPS"

refuse() {
    echo "nothing was restored: $1" >&2
    exit 1
}

query() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --file="$CONFIG/$1"
}

set -- *.dump
[ -f "$1" ] || refuse "there is no backup yet"
# By name, and so by time.
for newest; do :; done
backup=${BACKUP:-$newest}
[ -f "$backup" ] || refuse "there is no backup $backup, but: $*"

filled=$(query filled.sql)
[ -z "$filled" ] || refuse "the database $PGDATABASE has rows, in: $filled"

pg_restore --single-transaction --exit-on-error --clean --if-exists --no-owner --dbname="$PGDATABASE" "$backup"
echo "restored $backup; rows by table:"
query rows.sql
