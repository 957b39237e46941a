"""The DAG that tells at once of what is broken."""

from dp_stats.airflow import watch

dag = watch()
