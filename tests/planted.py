"""Visits with planted values, worked on where they are: what is declared about them, and where the values must not be found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dp_stats.secure.intake import IntakeReport
from dp_stats.settings import Settings

WORDS = (b"canary", b"kanarie", b"4096.25", b"5550199")
COLUMNS = {
    "patient": {
        "from": "patient",
        "type": "person",
        "identifier": {"pattern": "canary[0-9]+", "remove": "-", "case": "lower"},
    },
    "day": {"from": "day", "type": "date", "timezone": "Europe/London"},
    "clinic": {"from": "clinic", "type": "code", "codes": "clinics", "unknown": True},
    "cost": {"from": "cost", "type": "number"},
}


def expect(clinic: Any, *expectations: dict[str, Any]) -> None:
    """Give the dataset a suite of its own."""
    suite = {"name": "visits", "expectations": expectations}
    (clinic.folder / "expectations" / "visits.json").write_text(json.dumps(suite))


def without_noise(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Exact answers as they are handed to the noise."""
    from dp_stats.secure import measure as measuring

    seen: list[Any] = []

    def none(values: Any, **_: Any) -> Any:
        seen.append(np.asarray(values).tolist())
        return np.asarray(values)

    monkeypatch.setattr(measuring, "add_noise", none)
    return seen


def with_rows(folder: Path) -> list[str]:
    """Files that hold a planted value."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(word in path.read_bytes().lower() for word in WORDS)]


def report_of(settings: Settings, edition: str = "visits/2024-W02") -> IntakeReport:
    """The intake report of an edition."""
    return IntakeReport.from_bytes((settings.secure / "intake" / edition / "r1.json").read_bytes())
