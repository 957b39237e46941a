"""Everything that leaves the secure side follows from the noisy measurements and public declarations alone.

The method is that of dp-recorder (record and replay): the pipeline runs on a source, and what was drawn is
recorded; then it runs on the same source without one person, and the recorded draw is handed out again. What the
two runs wrote outside the secure store, and what every step returned, must be equal to the byte. The exact answers
that noise was asked for must differ by no more than the plan's sensitivity.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from dp_stats import pipeline
from dp_stats.editions import describe
from dp_stats.editions.quality_facts import NoteFacts
from dp_stats.ledger import Ledger
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.run import open_run
from dp_stats.secure import measure as measuring
from dp_stats.settings import Settings, load_settings

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
KEYED = ("snapshot",)
"""What a step returns that is a digest under the secret key, and so differs between installations anyway."""


class Still(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> Still:
        return cls(NOW.year, NOW.month, NOW.day, NOW.hour, tzinfo=tz)


class Recorder:
    """Runs editions; the first draw is recorded and every later one is answered with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clinic: Any, folder: Path) -> None:
        self.clinic, self.folder = clinic, folder
        self.recorded: NoisyMeasurements | None = None
        self.exact: list[dict[str, Any]] = []
        draw = measuring.draw

        def replay(plan: Any, exact: dict[str, Any]) -> NoisyMeasurements:
            self.exact.append(dict(exact))
            self.recorded = self.recorded or draw(plan, exact)
            return self.recorded

        monkeypatch.setattr(measuring, "draw", replay)
        monkeypatch.setattr(describe, "datetime", Still)
        monkeypatch.setattr("dp_stats.ledger.opening.uuid4", lambda: UUID(int=7))
        monkeypatch.setitem(Ledger.open.__func__.__kwdefaults__, "clock", lambda: NOW)  # type: ignore[attr-defined]

    def run(self, rows: list[list[str]]) -> dict[str, bytes]:
        """Everything that a run on these rows leaves outside the secure store."""
        with (self.clinic.folder / "visits.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        home = self.folder / f"home-{len(self.exact)}"
        settings = load_settings({"DP_STATS_HOME": str(home), "DP_STATS_CATALOGUE": str(self.clinic.folder)})
        steps = (pipeline.pull, pipeline.check, pipeline.reserve, pipeline.measure, pipeline.estimate, pipeline.publish)
        said = [step(self.clinic.first, settings=settings) for step in (*steps, pipeline.clean_up)]
        told = [{k: v for k, v in each.items() if k not in KEYED} for each in said]
        return {"steps": json.dumps(told).encode(), "ledger": ledger_text(settings), **files(settings)}


def files(settings: Settings) -> dict[str, bytes]:
    found = {}
    for path in sorted(settings.home.rglob("*")):
        # The heads are hashes of the ledger's entries, which are compared by ``ledger_text``.
        known = path.is_relative_to(settings.secure) or path.name in ("ledger.db", "ledger.heads")
        if path.is_file() and not known:
            found[str(path.relative_to(settings.home))] = path.read_bytes()
    return found


def ledger_text(settings: Settings) -> bytes:
    """The ledger's tables without keyed digests of the register and the hashes of entries that hold them."""
    kept = []
    with sqlite3.connect(settings.home / "ledger.db") as connection:
        for event, payload in connection.execute("SELECT event, payload FROM ledger_entries ORDER BY sequence"):
            kept.append(
                [event, {k: v for k, v in json.loads(payload).items() if (event, k) != ("registered", "digest")}]
            )
    return json.dumps(kept).encode()


@pytest.fixture
def recorder(clinic: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch, clinic, tmp_path)


@pytest.fixture
def rows(clinic: Any) -> list[list[str]]:
    """The clinic's source, and one person more, who alone is seen in the west on 9 January, and more often than counts."""
    with (clinic.folder / "visits.csv").open() as file:
        given = [row for row in csv.reader(file) if row[1:3] != ["2024-01-09", "west"]]
    alone = [["target", "2024-01-09", "west", "9.50", "555"]] * 5
    return given + alone


def without(rows: list[list[str]], person: str) -> list[list[str]]:
    return [row for row in rows if row[0] != person]


@pytest.mark.slow
def test_without_any_one_person_everything_that_leaves_is_the_same_to_the_byte(
    recorder: Recorder, rows: list[list[str]], clinic: Any
) -> None:
    everyone = recorder.run(rows)
    assert b'"kind":"charge"' in everyone["public/log.jsonl"]
    plan = open_run(clinic.first).plan
    for person in ("target", "p7", "nobody"):
        fewer = recorder.run(without(rows, person))
        assert fewer.keys() == everyone.keys()
        assert [name for name in everyone if everyone[name] != fewer[name]] == []
    base = recorder.exact[0]
    moved = []
    for other in recorder.exact[1:]:
        for m in plan.measurements:
            difference = base[m.id] - other[m.id]
            assert np.abs(difference).sum() <= m.l1
            assert (difference**2).sum() <= m.l2_squared
            moved.append(int(np.abs(difference).sum()))
    assert max(moved) >= 3  # the person who visits often does move what is measured


def tells(what: Callable[[Path], str]) -> Callable[[pytest.MonkeyPatch, Any], None]:
    """A publication that adds something about the staged rows to its notes."""

    def broken(monkeypatch: pytest.MonkeyPatch, clinic: Any) -> None:
        notes, publish = describe._notes, pipeline.publish
        staged: list[Path] = []

        def looking(edition: str, *, revision: int = 1, settings: Any = None) -> Any:
            staged.append(open_run(edition, settings=settings).staging / "snapshot.parquet")
            return publish(edition, revision=revision, settings=settings)

        monkeypatch.setattr(pipeline, "publish", looking)

        def telling(*given: Any) -> Any:
            return (*notes(*given), NoteFacts(kind="rows", text=what(staged[-1])))

        monkeypatch.setattr(describe, "_notes", telling)

    return broken


def number_of_rows(snapshot: Path) -> str:
    import pyarrow.parquet as pq

    return f"From {pq.read_metadata(snapshot).num_rows} records."


def empty_cells(snapshot: Path) -> str:
    import pyarrow.parquet as pq

    found = pq.read_table(snapshot, columns=["clinic", "day"]).group_by(["clinic", "day"]).aggregate([])
    return f"{35 - len(found)} cells without records are left out."


def small_exact_counts(snapshot: Path) -> str:
    import pyarrow.parquet as pq

    found = (
        pq.read_table(snapshot, columns=["clinic", "day"]).group_by(["clinic", "day"]).aggregate([([], "count_all")])
    )
    return "Cells below 10 are suppressed: " + ", ".join(
        sorted(str(v) for v in found["count_all"].to_pylist() if v < 10)
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", [number_of_rows, empty_cells, small_exact_counts])
def test_a_publication_that_looks_at_the_rows_is_caught(
    recorder: Recorder, rows: list[list[str]], clinic: Any, monkeypatch: pytest.MonkeyPatch, what: Callable[[Path], str]
) -> None:
    tells(what)(monkeypatch, clinic)
    everyone, fewer = recorder.run(rows), recorder.run(without(rows, "target"))
    assert everyone["public/visits/2024-W02/r1/edition.json"] != fewer["public/visits/2024-W02/r1/edition.json"]


@pytest.mark.slow
def test_an_ignored_bound_is_caught(
    recorder: Recorder, rows: list[list[str]], clinic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = measuring.Bound
    monkeypatch.setattr(measuring, "Bound", lambda rows, *rest, key: bound(10**6, *rest, key=key))
    recorder.run(rows)
    recorder.run(without(rows, "target"))
    plan = open_run(clinic.first).plan
    count = next(m for m in plan.measurements if m.role == "statistic")
    assert np.abs(recorder.exact[0][count.id] - recorder.exact[1][count.id]).sum() > count.l1
