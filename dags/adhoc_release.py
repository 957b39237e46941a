"""The DAG by which analysts ask for figures and custodians decide."""

from dp_stats.airflow import adhoc_release

dag = adhoc_release()
