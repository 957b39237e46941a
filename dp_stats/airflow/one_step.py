"""The steps of an edition as calls of the pipeline, one for each: what every task of ours does, in whichever DAG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowSkipException

from dp_stats import pipeline

if TYPE_CHECKING:
    from dp_stats.run import Kind


@dataclass(frozen=True)
class AirflowRun:
    """One Airflow run, as the pipeline sees it.

    Attributes:
        edition: ``release/period``. revision: 1, or the number of a correction.
        reason: why a correction is made. requested_by: who started it.
        link: where the run is found, kept with the charge.
        new_series: a yes to charging blocks again where an edit has ended the series they were paid for.
        kind: ``edition``, or that of a revision. only_say: whether to do no more than say what it costs.
    """

    edition: str
    revision: int
    reason: str
    requested_by: str
    link: str
    new_series: bool = False
    kind: Kind | Literal["edition"] = "edition"
    only_say: bool = False

    @property
    def measures(self) -> bool:
        """Whether records are read and measured."""
        return self.kind in ("edition", "correction") and not self.only_say


def pull(run: AirflowRun) -> dict[str, Any]:
    """Copy the declared columns of the rows into the secure store, without people who opted out."""
    if not run.measures:
        raise AirflowSkipException("No records are read for this. Nothing was spent.")
    return pipeline.pull(run.edition, revision=run.revision)


def check(run: AirflowRun) -> dict[str, Any]:
    """Hold the rows against the dataset's expectations; a failed gate stops before any budget is used."""
    return pipeline.check(run.edition, revision=run.revision)


def reserve(run: AirflowRun) -> dict[str, Any]:
    """Set the privacy budget aside in the ledger, which looks for the approvals itself, or stop."""
    return pipeline.reserve(
        run.edition,
        revision=run.revision,
        reason=run.reason,
        requested_by=run.requested_by,
        run=run.link,
        new_series=run.new_series,
    )


def measure(run: AirflowRun) -> dict[str, Any]:
    """Bound, aggregate, pay, add noise once, store. A repeat returns what is stored."""
    return pipeline.measure(run.edition, revision=run.revision)


def estimate(run: AirflowRun) -> dict[str, Any]:
    """Turn noisy measurements into consistent values with intervals; sees no rows."""
    return pipeline.estimate(run.edition, revision=run.revision)


def publish(run: AirflowRun) -> dict[str, Any]:
    """Write the edition's folder, check it, move it into place and, if it is public, build the site."""
    return pipeline.publish(run.edition, revision=run.revision)


def clean_up(run: AirflowRun) -> dict[str, Any]:
    """Delete the staged rows, whether the run succeeded or failed."""
    return pipeline.clean_up(run.edition, revision=run.revision)
