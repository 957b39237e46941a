"""Names of DAGs: one asks for figures of a dataset, and no scheduled release can have its name."""

from __future__ import annotations

ASKING = "ask-"
"""A release's DAG has no hyphen in its name, so that none of them begins like this."""


def asking_dag(dataset: str) -> str:
    """The DAG by which people ask for figures of a dataset."""
    return f"{ASKING}{dataset}"


def is_asking(dag: str) -> bool:
    """Whether a DAG is one by which people ask for figures."""
    return dag.startswith(ASKING)


def dataset_of(dag: str) -> str:
    """The dataset that an asking DAG is about."""
    return dag.removeprefix(ASKING)


def scheduled_dag(release: str) -> str:
    """The DAG of a scheduled release."""
    return release.replace("-", "_")
