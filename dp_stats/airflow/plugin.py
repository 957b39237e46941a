"""Registers with Airflow: the budget page, its card on the home page, and the pools of the datasets."""

from __future__ import annotations

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from dp_stats.airflow.timetable import WorkingDaysTimetable


def _pages() -> list[dict[str, Any]]:
    """The pages, only where Airflow serves pages: importing them takes a second."""
    if not {"api-server", "standalone"} & set(sys.argv):
        return []
    from dp_stats.airflow.budget_page import app

    return [{"app": app, "url_prefix": "/budget", "name": "Privacy budget"}]


def _listeners() -> list[Any]:
    from dp_stats.airflow import pools

    return [pools]


class DpStatsPlugin(AirflowPlugin):
    """What dp_stats adds to Airflow."""

    name = "dp_stats"
    fastapi_apps = _pages()
    listeners = _listeners()
    timetables = [WorkingDaysTimetable]  # noqa: RUF012
    external_views = [  # noqa: RUF012  the base class declares it as an instance would
        {
            "name": "Privacy budget",
            "href": "/budget/",
            "destination": "nav",
            "url_route": "privacy-budget",
            "nav_top_level": True,
        },
        {
            "name": "My requests",
            "href": "/budget/requests/",
            "destination": "nav",
            "url_route": "my-requests",
            "nav_top_level": True,
        },
        {
            "name": "To decide",
            "href": "/budget/decisions/",
            "destination": "nav",
            "url_route": "to-decide",
            "nav_top_level": True,
        },
        {
            "name": "My files",
            "href": "/budget/files/",
            "destination": "nav",
            "url_route": "my-files",
            "nav_top_level": True,
        },
        {"name": "Budget", "href": "/budget/?dag={DAG_ID}", "destination": "dag", "url_route": "dag-budget"},
    ]
    react_apps = [  # noqa: RUF012
        {
            "name": "Privacy budget",
            "bundle_url": "/budget/card.js",
            "destination": "dashboard",
            "url_route": "budget-card",
        }
    ]
