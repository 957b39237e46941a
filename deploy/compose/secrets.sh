#!/bin/sh
# Print a fresh set of secrets for deploy/compose/.env; nothing is stored.
set -eu
secret() { python3 -c 'import secrets; print(secrets.token_urlsafe(32))'; }
for name in AIRFLOW_API_SECRET AIRFLOW_JWT_SECRET AIRFLOW_DB_PASSWORD REDIS_PASSWORD \
  LEDGER_OWNER_PASSWORD LEDGER_WRITER_PASSWORD LEDGER_READER_PASSWORD LEDGER_WEB_PASSWORD; do
  echo "$name=$(secret)"
done
echo "AIRFLOW_FERNET_KEY=$(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')"
