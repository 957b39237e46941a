"""One DAG per scheduled release of the catalogue: pull → check → reserve → measure → estimate → publish.

Wiring only: every task is one call of ``dp_stats.pipeline``. Clearing, retrying or repeating any task
never pays twice and never draws noise twice, because the ledger keeps what was charged and drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Asset, Param
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.interval import CronDataIntervalTimetable
from dp_stats_airflow.alerts import run_failed
from dp_stats_airflow.schedule import edition_at, first_interval, last_interval
from dp_stats_airflow.steps import POOL, RETRIES, Run, moment, requester, run_name, step

from dp_stats import pipeline
from dp_stats.catalogue import Dataset, Release, load_catalogue
from dp_stats.settings import load_settings

CATALOGUE = load_catalogue(load_settings().catalogue)


def scheduled_release(release: Release, dataset: Dataset) -> DAG:
    """The DAG of one release."""

    def run_of(context: Mapping[str, Any]) -> Run:
        """The edition a run makes: the period asked for by hand, or the last that had settled when it was due."""
        asked = context["params"]
        period = asked.get("period") or edition_at(CATALOGUE, release, moment(context))
        return Run(
            edition=f"{release.id}/{period}",
            revision=asked.get("revision") or 1,
            reason=asked.get("reason") or "",
            requested_by=requester(context),
            link=run_name(context),
        )

    rows = Asset(name=f"{dataset.id}-rows", uri=f"dp-stats://datasets/{dataset.id}", group="datasets")
    edition = Asset(name=release.id, uri=f"dp-stats://editions/{release.id}", group="editions")
    every = CronDataIntervalTimetable(release.schedule, timezone="UTC")
    with DAG(
        dag_id=release.id.replace("-", "_"),
        dag_display_name=release.title,
        description=release.texts.summary.strip().split("\n")[0][:200],
        doc_md=describe(release, dataset),
        schedule=AssetOrTimeSchedule(timetable=every, assets=rows),
        start_date=first_interval(release),
        end_date=last_interval(release),
        catchup=True,
        max_active_runs=1,
        tags=["scheduled", f"dataset:{dataset.id}", f"per:{release.period}"],
        params=asked_by_hand(),
        on_failure_callback=run_failed,
        default_args={"owner": dataset.custodians[0].name, "pool": POOL.format(dataset.id), **RETRIES},
    ) as dag:

        @step(run_of)
        def due(run: Run) -> dict[str, Any]:
            """Say which edition this run makes."""
            return {"edition": run.edition, "revision": run.revision}

        @step(run_of, inlets=[rows])
        def pull(run: Run) -> dict[str, Any]:
            """Copy the declared columns of the rows into the secure store, without people who opted out."""
            return pipeline.pull(run.edition, revision=run.revision)

        @step(run_of)
        def check(run: Run) -> dict[str, Any]:
            """Hold the rows against the dataset's expectations; a failed gate stops before any budget is used."""
            return pipeline.check(run.edition, revision=run.revision)

        @step(run_of)
        def reserve(run: Run) -> dict[str, Any]:
            """Set the privacy budget aside in the ledger, or stop."""
            return pipeline.reserve(
                run.edition, revision=run.revision, reason=run.reason, requested_by=run.requested_by, run=run.link
            )

        @step(run_of)
        def measure(run: Run) -> dict[str, Any]:
            """Bound, aggregate, pay, add noise once, store. A repeat returns what is stored."""
            return pipeline.measure(run.edition, revision=run.revision)

        @step(run_of)
        def estimate(run: Run) -> dict[str, Any]:
            """Turn noisy measurements into consistent values with intervals; sees no rows."""
            return pipeline.estimate(run.edition, revision=run.revision)

        @step(run_of, outlets=[edition])
        def publish(run: Run) -> dict[str, Any]:
            """Write the edition's folder, check it, move it into place, and build the site."""
            return pipeline.publish(run.edition, revision=run.revision)

        @step(run_of)
        def clean_up(run: Run) -> dict[str, Any]:
            """Delete the staged rows, whether the run succeeded or failed."""
            return pipeline.clean_up(run.edition, revision=run.revision)

        due >> pull >> check >> reserve >> measure >> estimate >> publish >> clean_up.as_teardown(setups=due)
    return dag


def asked_by_hand() -> dict[str, Param]:
    """What an engineer may fill in when starting a run herself."""
    text = ["null", "string"]
    return {
        "period": Param(
            None, type=text, title="Period", description="Such as 2021-W07; empty: the last that has settled."
        ),
        "revision": Param(
            1, type="integer", minimum=1, title="Revision", description="From 2: corrects what is published."
        ),
        "reason": Param(None, type=text, title="Reason", description="Why it is corrected; the public reads it."),
    }


def describe(release: Release, dataset: Dataset) -> str:
    """What the DAG's page says."""
    tables = "\n".join(f"- {table.title}" for table in release.tables)
    custodians = ", ".join(person.name for person in dataset.custodians)
    return (
        f"# {release.title}\n\n{release.texts.summary}\n\n{tables}\n\n"
        f"One edition per {release.period}, published {release.settle_days} days after the period's end. "
        f"Made from *{dataset.title}*, held by {custodians}.\n\n"
        "Clearing or repeating any task is safe: an edition is paid for once and its noise is drawn once."
    )


for _release in CATALOGUE.releases.values():
    if _release.schedule:
        globals()[_release.id.replace("-", "_")] = scheduled_release(_release, CATALOGUE.dataset_of(_release))
