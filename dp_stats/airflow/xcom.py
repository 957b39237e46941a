"""An XCom backend that takes only small plain values, so that no row or table can reach Airflow's database."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom

MAX_ITEMS = 50
MAX_BYTES = 4096


class RefusedXComError(ValueError):
    """A task tried to hand over something other than a small plain value."""


class SmallPlainXCom(BaseXCom):
    """Numbers, texts, and short lists and mappings of them: references, never data."""

    @staticmethod
    def serialize_value(value: Any, **kwargs: Any) -> Any:
        if (task := kwargs.get("task_id")) is None:
            task = "a task"
        if kwargs.get("key", "").startswith("_"):  # Airflow's own (links)
            return BaseXCom.serialize_value(value, **kwargs)
        if _items(value) > MAX_ITEMS or len(json.dumps(value, default=str)) > MAX_BYTES:
            raise RefusedXComError(
                f"{task}: what it hands over is not a small plain value. Hand over a path, a checksum or an id."
            )
        return BaseXCom.serialize_value(value, **kwargs)


def _items(value: Any) -> int:
    if value is None or type(value) in (bool, int, float, str):
        return 1
    if type(value) in (list, tuple):
        return sum(_items(item) for item in value)
    if type(value) is dict and all(type(key) is str for key in value):
        return sum(_items(item) for item in value.values())
    return MAX_ITEMS + 1
