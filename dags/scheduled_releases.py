"""One DAG per scheduled release of the catalogue."""

from dp_stats.airflow import scheduled_releases

globals().update(scheduled_releases())
