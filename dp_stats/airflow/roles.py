"""Who may do what in Airflow's UI and API, where its simple login is used (one machine, or a trial).

Airflow's simple roles let any user mark a task as success and write XComs. Here an analyst or custodian
(role ``user``) may read, ask for an ad hoc release, and answer an approval addressed to her, and nothing
else; engineers (``op``) run everything; viewers look. For production roles see docs/how-to/production.md.
"""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.types import MenuItem

from dp_stats.airflow.names import RECORDER, is_asking

GUEST = "guest"
"""The role of people of organisations that get restricted figures: their own page, and nothing of Airflow."""

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

    @staticmethod
    def _is_authorized(*, user: SimpleAuthManagerUser, **asked: Any) -> bool:
        return not _is_guest(user) and bool(SimpleAuthManager._is_authorized(user=user, **asked))

    @staticmethod
    def _is_admin(user: SimpleAuthManagerUser) -> bool:
        return not _is_guest(user) and SimpleAuthManager._is_admin(user)

    def is_authorized_view(self, *, access_view: AccessView, user: SimpleAuthManagerUser) -> bool:
        """Guests see the frame of the site, whose menu leads to their page."""
        seen = access_view in (AccessView.WEBSITE, AccessView.PLUGINS)
        return (_is_guest(user) and seen) or super().is_authorized_view(access_view=access_view, user=user)

    def filter_authorized_menu_items(
        self, menu_items: list[MenuItem], *, user: SimpleAuthManagerUser
    ) -> list[MenuItem]:
        """What stands in the menu: nothing of Airflow's for guests."""
        return [] if _is_guest(user) else super().filter_authorized_menu_items(menu_items, user=user)

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
            closes = (method, access_entity) == ("PUT", DagAccessEntity.TASK_INSTANCE) and is_asking(dag or "")
            return closes or ((method, access_entity) == ("PUT", DagAccessEntity.RUN) and dag is not None)
        # With no DAG named, Airflow asks whether the user may do this to any DAG at all (what the menu shows).
        return (method, access_entity) in WRITABLE[role] and (dag is None or is_asking(dag))


def _is_guest(user: SimpleAuthManagerUser) -> bool:
    return (user.role or "").lower() == GUEST
