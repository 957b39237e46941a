"""Example DAGs, to copy: Airflow does not load them by itself."""
