"""Two installations that differ in one person's rows of one block, taken through the same events by the real functions.

One installation holds every row; the other holds all but the rows that the target has in one block, at every moment, however
the source changes. Both have the same catalogue, the same key and the same noise: what is drawn in the first is
recorded and handed out again in the second (the method of dp-recorder). So whatever differs between them, in what
happens or in what lies outside the secure store, tells of the target; and what reached the noise may differ by what
was charged, no more.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from edited_catalogue import Declared, Row

from dp_stats import pipeline, run
from dp_stats.catalogue import Catalogue
from dp_stats.catalogue import folder as reading
from dp_stats.errors import DpStatsError
from dp_stats.ledger import Ledger
from dp_stats.plan import make
from dp_stats.plan.model import Plan
from dp_stats.plan.noisy import NoisyMeasurements
from dp_stats.run import open_ledger
from dp_stats.secure import measure as measuring
from dp_stats.secure import pull as pulling
from dp_stats.secure.secret import KEY_BYTES
from dp_stats.secure.staging import secure_folder
from dp_stats.settings import load_settings

WEEKS = ("2024-W52", "2025-W01", "2025-W02")
"""The second one crosses the end of a month and of a year."""

ASKED = "asked/2024-12-28--2025-01-09"
EDITIONS = (
    *(f"weekly/{week}" for week in WEEKS),
    "monthly/2024-12",
    "monthly/2025-01",
    "people/2025-W01",
    ASKED,
)
"""Weeks of a series, months around them, distinct people by month in a week, and a request: nested, in any order."""

POINTS = ("register_entry", "spend", "store")
"""Methods of the ledger before which an attempt can be held up, or killed."""

UNLIKE = {("registered", "digest"), ("created", "ledger"), ("created", "without")}
"""Fields of entries that are made with a secret key, or by chance: they differ from installation to installation by themselves."""

PATIENCE = 300.0
"""Seconds in which an attempt must come to its next point."""

HEAD_HASH = re.compile(r"\b(\d+):[0-9a-f]{64}\b")
Exact = dict[str, Any]
Outcome = tuple[str, str]


@dataclass
class Drawn:
    """One draw: what reached the noise, and what came out."""

    plan: Plan
    exact: Exact
    stored: bytes


class Installation:
    """One of the two installations: its catalogue, its source and its state folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, root / "catalogue"
        self.settings = load_settings({"DP_STATS_HOME": str(root / "home"), "DP_STATS_CATALOGUE": str(self.folder)})
        self.drawn: list[Drawn] = []
        self.read: list[int] = []
        """Number of ledger entries at each moment at which rows were read."""
        self.pulled: list[str] = []
        """The rows of the last snapshot."""

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def hold(self, rows: Iterable[Row], opted_out: Iterable[Row] = ()) -> None:
        """Let the source hold these rows, and the opt-out list those people."""
        with (self.folder / "visits.csv").open("w", newline="") as file:
            csv.writer(file).writerow(["Patient", "Alias", "Day", "Clinic", "Cost"])
            csv.writer(file).writerows([r.person, r.alias, r.day.isoformat(), r.clinic, r.cost] for r in rows)
        with (self.folder / "opt-outs.csv").open("w", newline="") as file:
            csv.writer(file).writerow(["Patient", "Alias"])
            csv.writer(file).writerows([r.person, r.alias] for r in opted_out)

    def ledger(self) -> Ledger:
        return open_ledger(self.settings)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """A look at the ledger's tables from outside."""
        with sqlite3.connect(self.settings.home / "ledger.db") as connection:
            return connection.execute(sql).fetchall()

    def told(self) -> dict[str, Any]:
        """Everything outside the secure store, but for keyed digests, random names and the hashes of entries that hold them."""
        entries = [
            [event, {k: v for k, v in json.loads(payload).items() if (event, k) not in UNLIKE}]
            for event, payload in self.query("SELECT event, payload FROM ledger_entries ORDER BY sequence")
        ]
        measured = self.query("SELECT edition, revision, content FROM ledger_measurements ORDER BY edition, revision")
        files = {}
        for path in sorted(self.settings.home.rglob("*")):
            known = path.is_relative_to(self.settings.secure) or path.name.startswith("ledger.")
            if path.is_file() and not known:
                files[str(path.relative_to(self.settings.home))] = path.read_bytes()
        return {"entries": entries, "measured": measured, "files": files}


class Killed(BaseException):
    """What an attempt meets that is killed."""


class Attempt(threading.Thread):
    """One run of the measuring step in one installation, which stops before each point until it is told to go on."""

    def __init__(self, work: Callable[[], Outcome]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.outcome: Outcome = ("started", "")
        self.killed = False
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)

    def run(self) -> None:
        self._go.acquire()
        try:
            self.outcome = self._work()
        except Killed:
            self.outcome = ("killed", "")
        finally:
            self._stopped.release()

    def hold(self, point: str) -> None:
        """Called by the attempt itself: wait here."""
        if self.killed:
            raise Killed
        self.outcome = ("held", point)
        self._stopped.release()
        self._go.acquire()
        if self.killed:
            raise Killed

    def advance(self) -> Outcome:
        """To the next point, or to the end."""
        if not self.is_alive() and self.ident is not None:
            return self.outcome
        if self.ident is None:
            self.start()
        self._go.release()
        assert self._stopped.acquire(timeout=PATIENCE), "an attempt hangs"
        return self.outcome

    @property
    def under_way(self) -> bool:
        return self.outcome[0] in ("started", "held")


class NeighbouringInstallations:
    """Both installations, what happened in them, and what must hold between them (``check``)."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, declared: Declared | None = None) -> None:
        self.declared = declared or Declared()
        self.rows: list[Row] = []
        self.opted_out: list[Row] = []
        self.pair = tuple(a_fresh_one(folder / name) for name in ("all", "less"))
        self.at: Installation = self.pair[0]
        self.attempts: list[tuple[Attempt, Attempt]] = []
        self.released: dict[bytes, tuple[str, str, Drawn, Drawn]] = {}
        self.failing = False
        self.happened: Counter[str] = Counter()
        self._copy: tuple[bytes, ...] = ()
        self._watch(patch)
        self.declare()

    # What is watched

    def _watch(self, patch: pytest.MonkeyPatch) -> None:
        draw, rows, answers = measuring.draw, measuring.rows_that_count, measuring.exact_answers
        pull = pulling.pull

        def recorded(plan: Plan, exact: Exact) -> NoisyMeasurements:
            installation, first = self.at, self.pair[0]
            before = sum(d.plan.hash == plan.hash for d in installation.drawn)
            earlier = [d for d in first.drawn if d.plan.hash == plan.hash][before : before + 1]
            again = earlier and installation is not first
            noisy = NoisyMeasurements.from_bytes(earlier[0].stored, plan=plan) if again else draw(plan, exact)
            kept = {name: values.copy() for name, values in exact.items()}
            installation.drawn.append(Drawn(plan, kept, noisy.to_bytes()))
            return noisy

        def looked(*given: Any, **named: Any) -> Any:
            self.at.read.append(self.at.query("SELECT count(*) FROM ledger_entries")[0][0])
            return rows(*given, **named)

        def answered(*given: Any, **named: Any) -> Any:
            if self.failing:
                raise OSError("no space left on device")
            return answers(*given, **named)

        def pulled(*given: Any, **named: Any) -> Any:
            found = pull(*given, **named)
            self.at.pulled = sorted(map(str, pq.read_table(found.path).to_pylist()))
            return found

        patch.setattr(pulling, "pull", pulled)
        patch.setattr(measuring, "draw", recorded)
        patch.setattr(measuring, "rows_that_count", looked)
        patch.setattr(measuring, "exact_answers", answered)
        patch.setattr(make, "REMEMBERED", 10_000)  # of strategies, which edits would have chosen again and again
        patch.setattr(run, "read_catalogue", _catalogue_remembered(run.read_catalogue))
        patch.setattr(reading, "read_model", _model_remembered(reading.read_model))
        for point in POINTS:
            patch.setattr(Ledger, point, _held(point, getattr(Ledger, point)))

    # What happens to sources and catalogues

    def declare(self, **set: Any) -> None:
        """Edit the catalogue, alike in both installations."""
        self.declared = replace(self.declared, set={**self.declared.set, **set})
        for installation in self.pair:
            installation.write(self.declared.files())
        self.source(self.rows)

    def source(self, rows: Iterable[Row], opted_out: Iterable[Row] | None = None) -> None:
        """Let the source hold these rows now; the smaller installation lacks the target's rows of the block."""
        self.rows = list(rows)
        self.opted_out = self.opted_out if opted_out is None else list(opted_out)
        for installation in self.pair:
            shown = [row for row in self.rows if installation is self.pair[0] or not self.declared.hides(row)]
            installation.hold(shown, self.opted_out)

    # What is run

    def step(self, name: str, edition: str, *, fail: bool = False, **options: Any) -> Outcome:
        """A step of the pipeline in both installations; what it pulls is the same once the target has opted out."""
        self.failing = fail
        for installation in self.pair:
            installation.pulled = []
        try:
            found = self.both(
                f"{name} {edition}",
                lambda installation: getattr(pipeline, name)(edition, settings=installation.settings, **options),
            )
        finally:
            self.failing = False
        if any(self.declared.is_target(row) for row in self.opted_out):
            assert self.pair[0].pulled == self.pair[1].pulled, "rows of somebody who opted out were pulled"
        return found

    def steps(self, *names: str, edition: str, revision: int = 1, new_series: bool = True) -> Outcome:
        """Several steps in order, as long as they work."""
        found: Outcome = ("", "")
        for name in names:
            said = {"new_series": new_series, "reason": "r", "requested_by": "test"} if name == "reserve" else {}
            found = self.step(name, edition, revision=revision, **said)
            if found[0] != "done":
                break
        return found

    def run(self, edition: str, revision: int = 1, *, new_series: bool = True) -> Outcome:
        """An edition from its rows to its stored measurements."""
        return self.steps("pull", "reserve", "measure", edition=edition, revision=revision, new_series=new_series)

    def void(self, edition: str, revision: int) -> Outcome:
        """Somebody gives an edition's reservation back, if it has one."""

        def give_back(installation: Installation) -> str:
            ledger = installation.ledger()
            standing = ledger.reservation(edition, revision)
            return ledger.void(standing, "not wanted").state if standing else "nothing is reserved"

        return self.both(f"void {edition}", give_back)

    def begin(self, edition: str, revision: int = 1) -> tuple[Attempt, Attempt]:
        """Start an attempt to measure in both installations, and hold it before its first point."""
        work = [
            partial(self._outcome, partial(_measure, edition, revision), installation) for installation in self.pair
        ]
        attempts = (Attempt(work[0]), Attempt(work[1]))
        self.attempts.append(attempts)
        self.advance(attempts)
        return attempts

    def advance(self, attempts: tuple[Attempt, Attempt]) -> Outcome:
        """Let an attempt go on to its next point."""
        found = []
        for installation, attempt in zip(self.pair, attempts, strict=True):
            self.at = installation
            found.append(attempt.advance())
        return self._same("an attempt", found)

    def kill(self, attempts: tuple[Attempt, Attempt]) -> Outcome:
        """Kill an attempt where it is held."""
        for attempt in attempts:
            attempt.killed = True
        return self.advance(attempts)

    def finish(self, attempts: tuple[Attempt, Attempt]) -> Outcome:
        """Let an attempt go on to its end."""
        while attempts[0].under_way or attempts[1].under_way:
            self.advance(attempts)
        return attempts[0].outcome

    def keep_copy(self) -> None:
        """Make a backup of both ledgers."""
        self._copy = tuple((w.settings.home / "ledger.db").read_bytes() for w in self.pair)

    def run_on_copy(self, edition: str) -> None:
        """Run an edition on the backups, if there are any; else make them."""
        if self._copy:
            self._run_on(self._copy, edition)
        else:
            self.keep_copy()

    def run_without_ledger(self, edition: str) -> None:
        """Run an edition after the ledgers were lost."""
        self._run_on((None, None), edition)

    def _run_on(self, ledgers: Iterable[bytes | None], edition: str) -> None:
        """Run an edition with other ledgers in place; where it is refused, those of before come back."""
        now = [(w.settings.home / "ledger.db").read_bytes() for w in self.pair]
        self._put(ledgers)
        if self.run(edition)[0] != "done":
            self._put(now)

    def _put(self, ledgers: Iterable[bytes | None]) -> None:
        for installation, content in zip(self.pair, ledgers, strict=True):
            place = installation.settings.home / "ledger.db"
            if content is None:
                place.unlink()
            else:
                place.write_bytes(content)

    def both(self, what: str, work: Callable[[Installation], Any]) -> Outcome:
        """Do the same in both installations; what is returned or raised must be the same."""
        found = []
        for installation in self.pair:
            self.at = installation
            found.append(self._outcome(work, installation))
        return self._same(what, found)

    def _outcome(self, work: Callable[[Installation], Any], installation: Installation) -> Outcome:
        """What came of it, without digests under the secret key, hashes over them, and the installation's own folder."""
        try:
            said = work(installation)
        except DpStatsError as error:
            return type(error).__name__, HEAD_HASH.sub(r"\1:HEAD", str(error).replace(str(installation.root), ""))
        told = {k: v for k, v in said.items() if k != "snapshot"} if isinstance(said, dict) else said
        return "done", json.dumps(told, default=str)

    def _same(self, what: str, found: list[Outcome]) -> Outcome:
        self.happened[f"{what.split()[0]}: {found[0][0]}"] += 1
        assert found[0] == found[1], f"{what} ends in one installation as {found[0]}, in the other as {found[1]}"
        return found[0]

    # What must hold

    def check(self) -> None:
        """After every step: nothing differs but what reaches the noise, and that by no more than was charged."""
        one, two = (installation.told() for installation in self.pair)
        for name in one:
            assert one[name] == two[name], f"the installations differ in their {name}"
        self._collect(one["measured"])
        self._check_charges()
        self._check_failures(one["entries"])

    def _collect(self, measured: list[tuple[str, int, bytes]]) -> None:
        """Remember whatever was ever stored, with what reached the noise in each installation and which charge paid for it."""
        keys = {
            (e, r): key
            for e, r, key in self.pair[0].query(
                "SELECT edition, revision, key FROM ledger_reservations WHERE state = 'stored'"
            )
        }
        for edition, revision, content in measured:
            if content not in self.released:
                draws = [next(d for d in installation.drawn if d.stored == content) for installation in self.pair]
                self.released[content] = (keys[edition, revision], edition, draws[0], draws[1])

    def _check_charges(self) -> None:
        """Per charge and table: the sum over editions of what the target moved, in the norm its noise is scaled to."""
        charged: dict[str, Fraction] = defaultdict(Fraction)
        for key, rho in self.pair[0].query(
            f"SELECT key, rho FROM ledger_charges WHERE state != 'void' AND block = '{self.declared.block}'"
        ):
            charged[key] = Fraction(rho)
        moved: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        lost: dict[str, Fraction] = defaultdict(Fraction)
        for key, edition, one, two in self.released.values():
            for m in one.plan.tables:
                difference = one.exact[m.id].astype(object) - two.exact[m.id].astype(object)
                l1, l2 = int(np.abs(difference).sum()), int((difference**2).sum())
                total = moved[key, m.id]
                total[0], total[1] = total[0] + l1, total[1] + l2
                laplace = m.epsilon is not None
                limit = m.l1 if laplace else m.l2_squared
                assert total[not laplace] <= limit, (
                    f"{edition} and others moved {m.id} by {total}, charged for {m.l1}, {m.l2_squared}"
                )
                lost[key] += _rho(m, l1, l2)
            assert lost[key] <= charged[key] * (1 + Fraction(1, 10**9)), (
                f"{edition} lost {float(lost[key])} of {float(charged[key])} charged"
            )
        spent = sum(
            (
                Fraction(b.spent)
                for b in Ledger.open(self.pair[0].settings.ledger_url, create=False).blocks()
                if b.block == self.declared.block
            ),
            Fraction(0),
        )
        assert sum(lost.values(), Fraction(0)) <= spent * (1 + Fraction(1, 10**9)), (
            "more was lost than the ledger says was spent"
        )

    def _check_failures(self, entries: list[Any]) -> None:
        """A charge is not given back by the run that has read rows for it."""
        for installation in self.pair:
            for seen in installation.read:
                after = [payload for event, payload in entries[seen:] if event == "void"]
                assert not [p for p in after if p["reason"] not in WANTED and "another plan" not in p["reason"]], (
                    "a failure after rows were read was free"
                )

    def close(self) -> None:
        """Kill what is still held."""
        for attempts in self.attempts:
            for installation, attempt in zip(self.pair, attempts, strict=True):
                self.at = installation
                while attempt.under_way:
                    attempt.killed = True
                    attempt.advance()


WANTED = ("not wanted", "refused before any row was read")


def _rho(m: Any, l1: int, l2: int) -> Fraction:
    """What moving one table by so much loses, as ρ: ε²/2 of Laplace noise is not additive, so its share of ε is taken."""
    if m.epsilon is not None:
        return Fraction(m.rho) * l1 / m.l1
    return Fraction(l2) / (2 * Fraction(m.scale) ** 2)


def _measure(edition: str, revision: int, installation: Installation) -> Any:
    return pipeline.measure(edition, revision=revision, settings=installation.settings)


def _held(point: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def held(ledger: Ledger, *given: Any, **named: Any) -> Any:
        attempt = threading.current_thread()
        if isinstance(attempt, Attempt):
            attempt.hold(point)
        return method(ledger, *given, **named)

    return held


_catalogues: dict[tuple[Path, tuple[str, ...]], Catalogue] = {}
_models: dict[tuple[str, type], Any] = {}


def _catalogue_remembered(read_catalogue: Callable[[Path], Catalogue]) -> Callable[[Path], Catalogue]:
    """Reading a catalogue, remembered by the text of all its files: reading YAML takes longer than all else together."""

    def read(folder: Path) -> Catalogue:
        key = folder, tuple(path.read_text() for path in sorted(folder.glob("*/*.*")))
        if key not in _catalogues:
            _catalogues[key] = read_catalogue(folder)
        return _catalogues[key]

    return read


def _model_remembered(read_model: Callable[..., Any]) -> Callable[..., Any]:
    """Reading a declaration, remembered by its text: most edits change one file of many."""

    def read(path: Path, model: type) -> Any:
        key = path.read_text(), model
        if key not in _models:
            _models[key] = read_model(path, model)
        return _models[key]

    return read


def a_fresh_one(root: Path) -> Installation:
    """An installation with a key and an empty ledger, the same in all installations."""
    for name in ("datasets", "releases", "codes", "expectations"):
        (root / "catalogue" / name).mkdir(parents=True)
    (root / "catalogue" / "expectations" / "visits.json").write_text('{"name": "visits", "expectations": []}')
    installation = Installation(root)
    installation.settings.home.mkdir()
    key = secure_folder(installation.settings.secure) / "key"
    key.touch(mode=0o600)
    key.write_bytes(bytes(range(KEY_BYTES)))
    (installation.settings.home / "ledger.db").write_bytes(_empty_ledger())
    return installation


_template: list[bytes] = []


def _empty_ledger() -> bytes:
    if not _template:
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as folder:
            Ledger.open(Path(folder) / "ledger.db")
            _template.append((Path(folder) / "ledger.db").read_bytes())
    return _template[0]
