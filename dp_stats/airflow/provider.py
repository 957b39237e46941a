"""What ``airflow providers list`` says of dp_stats."""

from __future__ import annotations

from typing import Any

NAME = "dp_stats"


def get_provider_info() -> dict[str, Any]:
    """The facts that Airflow asks every provider for; the plugin registers by an entry point of its own."""
    return {
        "package-name": "dp-stats",
        "name": NAME,
        "description": "Open statistics from sensitive records, with a proven privacy guarantee.",
        "integrations": [{"integration-name": NAME, "tags": ["service"]}],
        "operators": [{"integration-name": NAME, "python-modules": ["dp_stats.airflow.operators"]}],
        "auth-managers": ["dp_stats.airflow.roles.LocalAuthManager"],
    }
