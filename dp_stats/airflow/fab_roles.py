"""The roles of analysts, custodians, viewers and of the account that writes notes, for ``airflow roles import``.

``python -m dp_stats.airflow.fab_roles > roles.json`` writes them for the datasets and releases of the catalogue. Nobody gets
a right that is not named here; whoever runs Airflow has Airflow's own role Op or Admin.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TypedDict

from dp_stats.airflow.names import asking_dag, scheduled_dag
from dp_stats.catalogue import Catalogue, read_catalogue
from dp_stats.settings import load_settings

VIEWER, ANALYST, CUSTODIAN, RECORDER = (f"dp_stats {role}" for role in ("viewer", "analyst", "custodian", "recorder"))
READ, CREATE, EDIT, MENU = "can_read", "can_create", "can_edit", "menu_access"
HITL = "HITL Detail"
SEEN = {
    "DAGs": (READ, MENU),
    "DAG Runs": (READ, MENU),
    "Task Instances": (READ,),
    "DAG Versions": (READ,),
    "Website": (READ,),
    "Plugins": (READ,),  # without which Airflow shows none of our pages, whatever they allow
    "My Password": (READ, EDIT),
    "My Profile": (READ, EDIT),
}
"""What everybody may look at: which runs there are and how they stand; no code, XComs or logs."""


class Right(TypedDict):
    """One line of the file: a role, a resource, and actions with commas between."""

    name: str
    resource: str
    action: str


def rights(catalogue: Catalogue) -> list[Right]:
    """Every right of every role."""
    asking = [asking_dag(dataset) for dataset in catalogue.datasets]
    scheduled = [scheduled_dag(r.id) for r in catalogue.releases.values() if r.schedule]
    found = [
        _right(role, resource, actions) for role in (VIEWER, ANALYST, CUSTODIAN) for resource, actions in SEEN.items()
    ]
    found.append(_right(ANALYST, "Task Logs", [READ]))
    found += [_right(role, HITL, [READ, MENU, EDIT]) for role in (ANALYST, CUSTODIAN)]
    for dag in asking:  # Airflow wants the right to edit a DAG of whoever starts a run of it or answers in one
        found += [_right(role, f"DAG:{dag}", [EDIT]) for role in (ANALYST, CUSTODIAN)]
        found.append(_right(ANALYST, f"DAG Run:{dag}", [CREATE]))
    # Airflow asks for both of whoever skips a waiting task; FAB has neither for one DAG, so the rights on DAGs below limit them.
    found += [_right(RECORDER, resource, [READ, EDIT]) for resource in ("DAG Runs", "Task Instances")]
    for dag in (*asking, *scheduled):
        found += [_right(RECORDER, f"DAG:{dag}", [READ, EDIT]), _right(RECORDER, f"DAG Run:{dag}", [READ, EDIT])]
    return found


def _right(role: str, resource: str, actions: Iterable[str]) -> Right:
    return Right(name=role, resource=resource, action=",".join(actions))


if __name__ == "__main__":
    print(json.dumps(rights(read_catalogue(load_settings().catalogue)), indent=1))
