"""The DAG of nightly upkeep."""

from dp_stats.airflow import maintenance

dag = maintenance()
