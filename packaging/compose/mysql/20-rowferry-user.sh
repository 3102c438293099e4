#!/usr/bin/env bash
# The user that rowferry logs in with, and all the rights it needs. The image's entrypoint sources this file, or runs it
# where the folder is mounted with everything executable.
MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --protocol=socket ${SOCKET:+--socket="$SOCKET"} -uroot <<SQL
CREATE USER rowferry IDENTIFIED BY '$(cat /run/secrets/rowferry_mysql)';
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO rowferry;
SQL
