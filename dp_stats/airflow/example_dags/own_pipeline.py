"""A DAG of one's own: wait for the day's delivery, publish a release from it, and tell a portal which edition it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from dp_stats.airflow import MeasureOperator, PublishOperator, ReleaseTaskGroup

RELEASE = "covid-cases-by-area"
PERIOD = "{{ params.period or '' }}"

with DAG(
    dag_id="own_pipeline",
    dag_display_name="A release in a pipeline of one's own",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1),  # noqa: DTZ001  Airflow reads it as UTC
    params={"period": Param(None, type=["null", "string"], title="Period", description="Such as 2021-W07.")},
    tags=["example"],
):

    @task
    def delivered() -> None:
        """Whatever must be true before records are read: a sensor, a copy, a call of another system."""

    release = ReleaseTaskGroup(RELEASE, period=PERIOD)  # every step a task, as a scheduled release has them
    delivered() >> release

with DAG(
    dag_id="own_pipeline_in_two_tasks",
    dag_display_name="The same in two tasks",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1),  # noqa: DTZ001  Airflow reads it as UTC
    params={"period": Param(None, type=["null", "string"], title="Period", description="Such as 2021-W07.")},
    tags=["example"],
):
    measure = MeasureOperator(task_id="measure", release=RELEASE, period=PERIOD)  # where the records can be reached
    measure >> PublishOperator(task_id="publish", release=RELEASE, period=PERIOD)  # where the site is

published = Asset(name=RELEASE, uri=f"dp-stats://editions/{RELEASE}", group="editions")

with DAG(
    dag_id="own_follow_up",
    dag_display_name="What follows when an edition is published",
    schedule=[published],
    start_date=datetime(2020, 1, 1),  # noqa: DTZ001  Airflow reads it as UTC
    tags=["example"],
):

    @task(inlets=[published])
    def tell(*, inlet_events: Any) -> dict[str, Any]:
        """Which edition, which revision, and the checksum of its files."""
        newest = inlet_events[published][-1].extra
        return {name: newest[name] for name in ("edition", "revision", "path", "sha256")}

    tell()
