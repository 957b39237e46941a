"""The DAGs by which analysts ask for figures and custodians decide, one per dataset."""

from dp_stats.airflow import adhoc_releases  # Airflow looks for the word DAG

globals().update(adhoc_releases())
