"""Names of DAGs, of which one asks for figures of a dataset and no release has its name, and of pools; the account that writes for
them."""

from __future__ import annotations

ASKING = "ask-"
"""A release's DAG has no hyphen in its name, so that none of them begins like this."""

RECORDER = "recorder"
"""The account with which notes of runs are written, withdrawn requests ended and, when one custodian has refused, the questions to
the others closed; it may do nothing else. What a task's state says decides nothing, so that none of it can approve anything."""


POOLS = "dataset-"
"""How pools begin in which runs of one dataset queue; what keeps them from paying twice is the ledger's transaction."""


def pool_of(dataset: str) -> str:
    """The pool of a dataset."""
    return f"{POOLS}{dataset}"


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
