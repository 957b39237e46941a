"""One DAG per scheduled release of the catalogue: pull → check → reserve → measure → estimate → publish.

Wiring only: every task is one call of ``dp_stats.pipeline``. Clearing, retrying or repeating any task
never pays twice and never draws noise twice, because the ledger keeps what was charged and drawn.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, get_parsing_context
from airflow.sdk.exceptions import AirflowSkipException
from airflow.timetables.assets import AssetOrTimeSchedule

from dp_stats import pipeline, written
from dp_stats.airflow.names import scheduled_dag
from dp_stats.airflow.notes import write_note
from dp_stats.airflow.one_step import AirflowRun
from dp_stats.airflow.release_runs import declarations_of, defaults, edition_of, editions_of, rows_of
from dp_stats.airflow.revisions import CORRECTION, EDITION, kinds, note_of
from dp_stats.airflow.schedule import first_interval
from dp_stats.airflow.steps import pipeline_steps, requester, run_name, step, tell_assets
from dp_stats.airflow.timetable import timetable_of
from dp_stats.catalogue import Catalogue, Dataset, Release, read_catalogue
from dp_stats.catalogue.part import datasets_behind
from dp_stats.errors import CatalogueError
from dp_stats.settings import load_settings

log = logging.getLogger(__name__)


def scheduled_releases(dataset: str | None = None) -> dict[str, DAG]:
    """One DAG for each release of the catalogue that has a schedule, by its id: what a DAG file adds to its globals.

    Args:
        dataset: only the releases of this one.
    """
    return read_declarations(get_parsing_context().dag_id, dataset=dataset)[0]


def refuse_broken() -> None:
    """Say what is broken, in a DAG file of its own: Airflow shows it above its list of DAGs, and all others go on.

    Raises:
        CatalogueError: every message, where there is one.
    """
    _, broken = read_declarations()
    if broken:
        raise CatalogueError("These are left out until they are mended; all others go on.\n" + "\n".join(broken))


def refused_releases() -> list[str]:
    """What is wrong with releases that can be read, but of which Airflow cannot make a DAG."""
    broken = read_catalogue(load_settings().catalogue).broken
    return [why for why in read_declarations()[1] if why not in broken.values()]


def read_declarations(only: str | None = None, *, dataset: str | None = None) -> tuple[dict[str, DAG], list[str]]:
    """The DAGs of all that is sound, by id, and what is wrong with the rest.

    Args:
        only: the id of the one that is wanted, as in a task. dataset: those of its releases are wanted.
    """
    if dataset is None and only is not None:
        behind = datasets_behind(load_settings().catalogue, lambda release: scheduled_dag(release) == only)
        if not behind:
            return {}, []  # it is no release's
        dataset = behind.pop() if len(behind) == 1 else None
    catalogue = declarations_of(dataset)
    broken = list(catalogue.broken.values())
    made: dict[str, DAG] = {}
    for release in catalogue.releases.values():
        if not release.schedule or only not in (None, scheduled_dag(release.id)):
            continue
        try:
            dag = scheduled_release(catalogue, release)
            made[dag.dag_id] = dag
        except Exception as error:  # one release that Airflow refuses may not take away the others
            broken.append(
                f"releases/{release.id}.yaml: Airflow cannot make a DAG of it. {type(error).__name__}: {error}"
            )
    return made, broken


def scheduled_release(catalogue: Catalogue, release: Release) -> DAG:
    """The DAG of one release."""
    dataset = catalogue.dataset_of(release)

    def made(context: Mapping[str, Any]) -> str:
        """The edition a run is about: of the period asked for by hand, or the last that had settled when it was due."""
        return edition_of(release.id, context, period=context["params"].get("period"))

    def run_of(context: Mapping[str, Any]) -> AirflowRun:
        """What a run makes: an edition, or a revision of one; a correction finds its number in the ledger."""
        asked = context["params"]
        kind: Any = asked.get("kind") or EDITION
        edition, reason = made(context), asked.get("reason") or ""
        revision = asked.get("revision") or 1
        if kind == CORRECTION and revision == 1:
            revision = pipeline.number_of_correction(edition, reason=reason)
        return AirflowRun(
            edition=edition,
            revision=revision,
            reason=reason,
            requested_by=requester(context),
            link=run_name(context),
            new_series=bool(asked.get("new_series")),
            kind=kind,
            only_say=bool(asked.get("only_say")),
        )

    rows, edition = rows_of(dataset), editions_of(release)
    every = timetable_of(release)
    with DAG(
        dag_id=scheduled_dag(release.id),
        dag_display_name=release.title,
        description=release.texts.summary.strip(),
        doc_md=describe(release, dataset),
        schedule=AssetOrTimeSchedule(timetable=every, assets=rows),
        start_date=first_interval(release),
        catchup=True,
        max_active_runs=1,
        tags=["scheduled", f"dataset:{dataset.id}", f"per:{release.period}"],
        params=asked_by_hand(release),
        default_args={
            "owner": dataset.custodians[0].name,
            **defaults(dataset, made),
        },
    ) as dag:

        @step(run_of)
        def due(run: AirflowRun) -> dict[str, Any]:
            """Say which edition this run makes; of a revision, what it costs and changes."""
            if run.kind != EDITION:
                said = note_of(pipeline.propose(run.edition, kind=run.kind, reason=run.reason))
                log.info("%s", said)
                write_note(get_current_context(), said)
            return {"edition": run.edition, "revision": run.revision}

        @step(run_of, outlets=[edition])
        def revise(run: AirflowRun) -> dict[str, Any]:
            """Publish a revision that is made of stored measurements and costs nothing."""
            if run.only_say or run.kind == EDITION or run.kind == CORRECTION:
                raise AirflowSkipException("There is no such revision to publish.")
            done = pipeline.revise(run.edition, kind=run.kind, reason=run.reason)
            tell_assets([edition], done)
            return done

        steps = pipeline_steps(run_of, inlets=[rows], outlets=[edition])
        due >> [steps.first, revise]
        steps.last >> steps.clean_up.as_teardown(setups=due)
    return dag


def asked_by_hand(release: Release) -> dict[str, Param]:
    """What an engineer may fill in when starting a run herself."""
    text = ["null", "string"]
    return {
        "period": Param(
            None, type=text, title="Period", description="Such as 2021-W07; empty: the last that has settled."
        ),
        "kind": kinds(release),
        "reason": Param(None, type=text, title="Reason", description="Why it is revised; the public reads it."),
        "only_say": Param(
            False,
            type="boolean",
            title="Only say what it costs",
            description="Write into the run's note what the revision costs and changes, and do nothing else.",
        ),
        "new_series": Param(
            False,
            type="boolean",
            title="Start a new series",
            description="A yes to charging this block again, where an edit of the catalogue has ended the series.",
        ),
        "revision": Param(
            1,
            type="integer",
            minimum=1,
            title="Number of the revision",
            description="From 2: a correction of that number, whatever its kind says. A correction finds its own number.",
            section="Advanced",
        ),
    }


def _when(release: Release) -> str:
    """The schedule in the words that the catalogue has it in."""
    spared = f"; on public holidays of {release.holidays} it waits for the next working day" if release.holidays else ""
    return (
        f"Schedule: `{release.schedule}` on the clocks of {release.timezone}{spared}. Unpaused, it makes every edition since "
        f"{written.day(release.start)} that has not been made, one after the other. While it is paused no run begins, one that is "
        f"started by hand neither; `dp-stats run {release.id} --period …` makes one period alone."
    )


def describe(release: Release, dataset: Dataset) -> str:
    """What the DAG's page says."""
    tables = "\n".join(f"- {table.title}" for table in release.tables)
    custodians = ", ".join(person.name for person in dataset.custodians)
    return (
        f"# {release.title}\n\n{release.texts.summary}\n\n{tables}\n\n"
        f"One edition per {release.period}, published {release.settle_days} days after the period's end. "
        f"Made from *{dataset.title}*, held by {custodians}.\n\n{_when(release)}\n\n"
        "Clearing or repeating any task is safe: an edition is paid for once and its noise is drawn once."
    )
