#!/bin/sh
# Three roles for the ledger: tasks write, people read, the web server reads and appends what it hands out to organisations. Run once, by PostgreSQL, when its volume is new.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres --dbname ledger \
  --set writer="$LEDGER_WRITER_PASSWORD" --set reader="$LEDGER_READER_PASSWORD" \
  --set web="$LEDGER_WEB_PASSWORD" <<'SQL'
CREATE ROLE ledger_writer LOGIN PASSWORD :'writer';
CREATE ROLE ledger_reader LOGIN PASSWORD :'reader';
CREATE ROLE ledger_web LOGIN PASSWORD :'web';
GRANT CREATE, USAGE ON SCHEMA public TO ledger_writer;
GRANT USAGE ON SCHEMA public TO ledger_reader, ledger_web;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_writer IN SCHEMA public GRANT SELECT ON TABLES TO ledger_reader, ledger_web;
SQL
