"""Who may answer a request where users are kept by Airflow's FAB (Flask AppBuilder) auth manager.

FAB's ids of users are numbers, while datasets name their custodians by user name; Airflow compares ids, so that under FAB's own
class no custodian could answer. Set ``AIRFLOW__CORE__AUTH_MANAGER=dp_stats.airflow.fab.FabUsers``. What each role may do is
said by :mod:`dp_stats.airflow.fab_roles`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager


class NamedUsers:
    """Mixed into an auth manager whose user names are unique: those to whom a task is put are named by their user names."""

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: Any) -> bool:
        """Whether the task was put to this user."""
        return user.get_name() in assigned_users


class FabUsers(NamedUsers, FabAuthManager):
    """FAB's users and roles; custodians answer under their user names."""
