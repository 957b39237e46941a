"""Who may do what in Airflow's UI and API, where its simple login is used (one machine, or a trial).

Airflow's simple roles let any user mark a task as success and write XComs. Here an analyst or custodian
(role ``user``) may read, ask for an ad hoc release, and answer an approval addressed to her, and nothing
else; engineers (``op``) run everything; viewers look. For production roles see docs/how-to/production.md.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

from dp_stats.airflow.names import is_asking

RECORDER = "recorder"
"""The account with which notes of runs are written and withdrawn requests ended; it may do nothing else."""

READABLE = {
    "viewer": {None, *DagAccessEntity}
    - {DagAccessEntity.CODE, DagAccessEntity.XCOM, DagAccessEntity.TASK_LOGS, DagAccessEntity.AUDIT_LOG},
    "user": {None, *DagAccessEntity} - {DagAccessEntity.XCOM, DagAccessEntity.AUDIT_LOG},
}
WRITABLE = {
    "viewer": set[tuple[str, Any]](),
    "user": {("POST", DagAccessEntity.RUN), ("PUT", DagAccessEntity.HITL_DETAIL)},
}


class LocalAuthManager(SimpleAuthManager):
    """Airflow's simple login with limits that hold."""

    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: SimpleAuthManagerUser,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        role = (user.role or "").lower()
        if role not in READABLE:
            return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        if method == "GET":
            return access_entity in READABLE[role]
        dag = details.id if details else None
        if user.username == RECORDER:
            return (method, access_entity) == ("PUT", DagAccessEntity.RUN) and dag is not None
        # With no DAG named, Airflow asks whether the user may do this to any DAG at all (what the menu shows).
        return (method, access_entity) in WRITABLE[role] and (dag is None or is_asking(dag))
