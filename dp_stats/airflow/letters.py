"""Letters to people: a custodian hears that a request waits for her, who asked hears that it is answered or has ended.

``DP_STATS_LETTERS`` holds a JSON list of Airflow's notifiers, as ``DP_STATS_NOTIFIERS`` does, in whose arguments ``{to}`` stands
for a person's address: that which the dataset declares for a custodian, else ``DP_STATS_ADDRESSES`` with her user name in it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import conf

from dp_stats.airflow.notifying import notify
from dp_stats.catalogue.models import Person
from dp_stats.settings import Notifier, load_settings

log = logging.getLogger(__name__)

TO = "{to}"
TO_DECIDE = "/plugin/to-decide"
"""Where a custodian sees all that waits for her."""


def write_to(user: str, subject: str, text: str, *, known: Sequence[Person] = ()) -> bool:
    """Send one letter to a person; one that cannot be sent stops nothing.

    Args:
        user: name in Airflow. known: people whose addresses are declared.

    Returns:
        Whether there was anything to send it with, and an address.
    """
    from dp_stats.ledger.budget import who  # with the planner behind it, which reading a DAG file does not need

    settings = load_settings()
    declared = next((p.email for p in known if p.email and who(p.user or p.name) == who(user)), None)
    address = declared or (settings.addresses.replace("{user}", user) if settings.addresses else "")
    if not settings.letters:
        return False
    if not address:
        log.warning("There is no address of %s, so nobody is told. Set DP_STATS_ADDRESSES, or declare 'email'.", user)
        return False
    notify([addressed(one, address) for one in settings.letters], subject, text)
    return True


def declared_people() -> list[Person]:
    """The custodians of every dataset, whose addresses may be declared."""
    from dp_stats.catalogue import read_catalogue

    datasets = read_catalogue(load_settings().catalogue).datasets.values()
    return [person for dataset in datasets for person in dataset.custodians]


def addressed(notifier: Notifier, address: str) -> Notifier:
    """A notifier with an address in every place for one."""
    arguments: dict[str, Any] = _filled(notifier.arguments, address)
    return notifier.model_copy(update={"arguments": arguments})


def _filled(value: Any, address: str) -> Any:
    if isinstance(value, str):
        return value.replace(TO, address)
    if isinstance(value, Mapping):
        return {key: _filled(one, address) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, address) for one in value]
    return value


def link(path: str) -> str:
    """The address of a page of Airflow, as people reach it."""
    return f"{str(conf.get('api', 'base_url', fallback='')).rstrip('/')}{path}"
