"""What pure functions of the secure room returned, remembered by everything they read, so that a sequence of events is cheap.

A snapshot is what the source, the opt-out list and the declarations make of it; exact answers and contributions are what
the snapshot, the sealed plan, the charge and what the register leaves to each person make of them. The first call is
the real one; an equal call gets a copy of what it returned. What decides about events (the ledger, the register's files, the
pinning of a snapshot, every refusal, every draw) always runs, and so does everything of an edition that counts late rows. Never
used where a fault is put back into one of these functions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pytest

from dp_stats import plan, rehearsal
from dp_stats.files import sha256
from dp_stats.plan.sealed import reading_hash
from dp_stats.secure import measure as measuring
from dp_stats.secure import pull as pulling
from dp_stats.secure.entries import fetched, given
from dp_stats.secure.register import Register
from dp_stats.secure.snapshots import keep
from dp_stats.secure.staging import PRIVATE_FILE, secure_below

STAGED = ("snapshot.parquet", "intake.parquet", "source.parquet", "report.json")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Later:
    """Something that is computed where a value is not remembered; ``key`` is everything it depends on."""

    key: Key
    get: Callable[[], Any]


@dataclass(frozen=True)
class Beside:
    """A small engine, and how to get the one that holds the rows, with its table, where it is needed after all."""

    engine: Any
    get: Callable[[], Any]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)


class Memory:
    """What was returned so far, in this process."""

    def __init__(self) -> None:
        self.known: dict[Key, Any] = {}
        self._now = threading.local()

    def recall(self, key: Key, compute: Callable[[], Any]) -> Any:
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]

    def use(self, patch: pytest.MonkeyPatch) -> None:
        """Let the real functions remember, until the patch is undone; editions are not rehearsed again and again."""
        patch.setattr(rehearsal, "rehearse_once", lambda _: None)
        patch.setattr(pulling, "pull", self._pull(pulling.pull))
        patch.setattr(plan, "make_sealed", self._make_sealed(plan.make_sealed))
        patch.setattr(measuring, "answer", self._answer(measuring.answer))
        patch.setattr(measuring, "open_snapshot", self._open(measuring.open_snapshot))
        patch.setattr(measuring, "rows_that_count", self._rows(measuring.rows_that_count))
        patch.setattr(measuring, "apply_bound", self._bound(measuring.apply_bound))
        patch.setattr(measuring, "exact_answers", self._exact(measuring.exact_answers))
        patch.setattr(Register, "_allowances", self._allowances(Register._allowances))
        patch.setattr(Register, "_contributions", self._contributions(Register._contributions))

    def _beside(self) -> Any:
        """An engine of this thread that only reads and writes the register's files."""
        if not hasattr(self._now, "beside"):
            self._now.beside = ibis.duckdb.connect(":memory:", threads=1)
        return self._now.beside

    def _pull(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def pull(dataset: Any, *, catalogue: Any, period: Any, folder: Path, settings: Any, earlier: Any = ()) -> Any:
            told = (settings.catalogue / name for name in ("visits.csv", "opt-outs.csv"))
            key = (
                "pull",
                *(path.read_bytes() for path in told),
                dataset.model_dump_json(),
                reading_hash(dataset, catalogue.codes),
                period,
                earlier,
            )
            if key not in self.known:
                done = real(
                    dataset, catalogue=catalogue, period=period, earlier=earlier, folder=folder, settings=settings
                )
                self.known[key] = [(folder / name).read_bytes() for name in STAGED]
                return done
            secure_below(settings.secure, folder)
            for old in [*folder.glob("*.parquet"), *folder.glob(STAGED[-1])]:
                old.unlink()
            for name, content in zip(("draft", *STAGED[1:]), self.known[key], strict=True):
                (folder / name).touch(mode=PRIVATE_FILE)
                (folder / name).write_bytes(content)
            target = folder / STAGED[0]
            return pulling.Snapshot(target, keep(folder / "draft", target, secure=settings.secure))

        return pull

    def _make_sealed(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def make_sealed(catalogue: Any, release: Any, period: Any, *, known: Any = (), stored: Any = None) -> Any:
            dataset = catalogue.dataset_of(release)
            declared = (dataset.model_dump_json(), release.model_dump_json(), period)
            lists = tuple((name, sha256(repr(found.rows).encode())) for name, found in sorted(catalogue.codes.items()))
            before = tuple((name, tuple(one.hash for one in made)) for name, made in sorted((stored or {}).items()))
            key = ("sealed", *declared, lists, tuple(series.hash for series in known), before)
            return self.recall(key, lambda: real(catalogue, release, period, known=known, stored=stored))

        return make_sealed

    def _answer(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def answer(sealed: Any, *, reservation: Any, **others: Any) -> Any:
            self._now.key = (sealed.hash, reservation.dataset, reservation.key)
            self._now.real = sealed.release.late is not None
            return real(sealed, reservation=reservation, **others)

        return answer

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def open_snapshot(snapshot: Path, **options: Any) -> Iterator[tuple[Any, Any]]:
            with ExitStack() as stack:
                if self._now.real:
                    yield stack.enter_context(real(snapshot, **options))
                    return
                opened: list[Any] = []

                def get() -> Any:
                    if not opened:
                        opened.append(stack.enter_context(real(snapshot, **options)))
                    return opened[0]

                yield Beside(self._beside(), get), sha256(snapshot.read_bytes())

        return open_snapshot

    def _rows(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def rows_that_count(backend: Any, content: Any, **declared: Any) -> Any:
            if self._now.real:
                return real(backend, content, **declared)
            return Later((*self._now.key, content), _once(lambda: real(*backend.get(), **declared)))

        return rows_that_count

    def _allowances(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def allowances(register: Register, backend: Any, rows: Any, used: Any) -> Any:
            if self._now.real or used is None:
                return real(register, backend, rows, used)
            found = fetched(used).sort_by([("block", "ascending"), ("hash", "ascending"), ("kept", "ascending")])
            return Later(
                (str(found.to_pydict()),), _once(lambda: real(register, backend.get()[0], rows.get(), given(found)))
            )

        return allowances

    def _bound(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def apply_bound(backend: Any, rows: Any, bound: Any, *, allowances: Any = None, **declared: Any) -> Any:
            if self._now.real:
                return real(backend, rows, bound, allowances=allowances, **declared)
            left = allowances.key if allowances is not None else ()
            return Later(
                (*rows.key, *left),
                _once(
                    lambda: real(
                        backend.get()[0],
                        rows.get(),
                        bound,
                        allowances=allowances.get() if allowances is not None else None,
                        **declared,
                    )
                ),
            )

        return apply_bound

    def _contributions(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def contributions(register: Register, backend: Any, rows: Any, kept: Any) -> Any:
            if self._now.real:
                return real(register, backend, rows, kept)

            def used() -> Any:
                return fetched(real(register, backend.get()[0], rows.get(), kept.get()))

            return given(self.recall(("used", *kept.key), used))

        return contributions

    def _exact(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def exact_answers(measured: Any, kept: Any, **declared: Any) -> dict[str, Any]:
            if self._now.real:
                answers: dict[str, Any] = real(measured, kept, **declared)
                return answers
            found = self.recall(("exact", *kept.key), lambda: real(measured, kept.get(), **declared))
            return {name: values.copy() for name, values in found.items()}

        return exact_answers


def _once(compute: Callable[[], Any]) -> Callable[[], Any]:
    found: list[Any] = []

    def get() -> Any:
        if not found:
            found.append(compute())
        return found[0]

    return get
