#!/bin/sh
# Makes the server's files where there are none and, at every start, the owner's role and database with the password
# that is mounted now. The server that this starts is reached through its socket alone, and has ended before the one
# that serves is started.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # Under another name until it is whole: a start that was killed in between begins anew.
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username=postgres --auth=reject --data-checksums --encoding=UTF8 --locale=C.UTF-8
    mv "$PGDATA.new" "$PGDATA"
fi
# The kubelet lets the volume's group write, which the server refuses.
chmod 0700 "$PGDATA"

# After a crash this also recovers, which may take as long as it needs: nobody asks an init container whether it lives.
pg_ctl start --wait --timeout=86400 --options="-c config_file=$CONFIG/postgresql.conf -c listen_addresses="
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --set=owner="$OWNER" --dbname=postgres --file="$CONFIG/owner.sql"
pg_ctl stop --wait --mode=fast
