"""What a run of a release is about, whichever DAG it is of: the edition, who started it, and the assets it reads and makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import Asset

from dp_stats.airflow.alerts import step_failed
from dp_stats.airflow.names import pool_of
from dp_stats.airflow.one_step import AirflowRun
from dp_stats.airflow.schedule import edition_at
from dp_stats.airflow.steps import moment, requester, run_name, task_options
from dp_stats.catalogue import Catalogue, Dataset, Release, read_catalogue
from dp_stats.errors import CatalogueError
from dp_stats.settings import load_settings


def rows_of(dataset: Dataset) -> Asset:
    """The rows of a dataset, as whoever delivers them may say that they are there."""
    return Asset(name=f"{dataset.id}-rows", uri=f"dp-stats://datasets/{dataset.id}", group="datasets")


def editions_of(release: Release) -> Asset:
    """The published editions of a release; its events say which."""
    return Asset(name=release.id, uri=f"dp-stats://editions/{release.id}", group="editions")


def declarations_of(dataset: str | None) -> Catalogue:
    """What DAGs are made from: the whole catalogue, or what a dataset and its releases depend on.

    Raises:
        CatalogueError: there is no such dataset, or no catalogue.
    """
    folder = load_settings().catalogue
    catalogue = read_catalogue(folder, dataset=dataset)
    if dataset is not None and dataset not in catalogue.datasets and not catalogue.broken_file("datasets", dataset):
        raise CatalogueError(f"There is no dataset '{dataset}' in {folder}. Name one of datasets/ in the DAG file.")
    return catalogue


def declared(release: str) -> tuple[Catalogue, Release]:
    """A release of the catalogue, with the catalogue.

    Raises:
        CatalogueError: there is none, or it is broken.
    """
    catalogue = read_catalogue(load_settings().catalogue)
    return catalogue, catalogue.release(release)


def edition_of(release: str, context: Mapping[str, Any], *, period: str | None) -> str:
    """The edition that a run is about: of the period that is named, or the last that had settled when the run was due."""
    if period:
        return f"{release}/{period}"
    return f"{release}/{edition_at(*declared(release), moment(context))}"


def edition_run(release: str, context: Mapping[str, Any], *, period: str | None) -> AirflowRun:
    """A run that makes the first revision of an edition."""
    return AirflowRun(
        edition=edition_of(release, context, period=period),
        revision=1,
        reason="",
        requested_by=requester(context),
        link=run_name(context),
    )


def defaults(dataset: Dataset, edition_of: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    """What every task has that reads rows of a dataset: its pool, its retries, and whom a failure is told."""
    return {"pool": pool_of(dataset.id), "on_failure_callback": step_failed(edition_of), **task_options()}
