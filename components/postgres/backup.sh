#!/bin/sh
# Writes a backup of the database, reads it once from end to end, and keeps the newest $KEPT of them.
set -eu
. "$CONFIG/connect.sh"
cd "$BACKUPS"

backup=$PGDATABASE-$(date -u +%Y%m%dT%H%M%SZ).dump
# What a backup that was killed has left.
rm -f -- *.partial
pg_dump --format=custom --file="$backup.partial"
pg_restore --file=/dev/null "$backup.partial"
sync "$backup.partial"
# Only a whole backup has a name that counts.
mv "$backup.partial" "$backup"

# By name, and so by time.
set -- *.dump
while [ $# -gt "$KEPT" ]; do
    rm -- "$1"
    shift
done
ls -l
