"""What is wrong with declarations that are broken, for the list of import errors above Airflow's DAGs; no DAG."""

from dp_stats.airflow import refuse_broken

refuse_broken()
