# Sourced by the image's entrypoint: the user that rowferry logs in with, and all the rights it needs.
docker_process_sql <<SQL
CREATE USER rowferry IDENTIFIED BY '$(cat /run/secrets/rowferry_mysql)';
GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO rowferry;
SQL
