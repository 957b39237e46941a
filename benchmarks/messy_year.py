"""A year of weekly editions of a messy source, through real Airflow: ``python -m benchmarks.messy_year``.

Every week a clinic delivers a file a day: compressed or not, with a byte-order mark, other line endings, columns in
another order, codes as a spreadsheet saved them. In some weeks something is wrong that must stop the run before anything is
charged; the next morning the clinic delivers again and the same run is started once more. Prints a line per week and
fails if a faulty delivery was published, a mended one was not, the year was charged more than once, or a log holds a
person.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv

from deploy.local.demo import Progress, Runner, quiet
from deploy.local.environment import local_environment
from dp_stats.catalogue import parse_period, yaml
from dp_stats.run import ledger_if_any
from dp_stats.settings import load_settings
from tests.builders import declared_dataset, declared_release

HEADER = ["Patient ID", "Visit date", "Clinic", "Cost"]
CLINICS = [f"{1001 + i:05}" for i in range(12)]
PERSON = "zz{:06}"
"""How persons are called: so that a search of the logs can find one."""

Deliver = Callable[["Clinics", date], None]


@dataclass
class Clinics:
    """The clinics' visits, invented once, and the folder their files arrive in."""

    folder: Path
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def declare(self) -> None:
        """Write the catalogue."""
        for name in ("datasets", "releases", "codes", "expectations", "daily"):
            (self.folder / name).mkdir(parents=True)
        rows = [f"{code},Clinic {i},D{i // 4}" for i, code in enumerate(CLINICS)]
        (self.folder / "codes" / "clinics.csv").write_text("\n".join(["code,name,district", *rows]) + "\n")
        (self.folder / "opt-outs.csv").write_text(f"Patient ID\n{PERSON.format(3)}\n")
        (self.folder / "expectations" / "visits.json").write_text(
            '{"name": "visits", "expectations": [{"type": "expect_column_values_to_not_be_null", '
            '"kwargs": {"column": "patient", "mostly": 0.9}, "severity": "critical"}]}'
        )
        dataset = declared_dataset(
            "visits",
            {
                "patient": {"from": "Patient ID", "type": "person", "identifier": {"pattern": "zz[0-9]{6}"}},
                "day": {"from": "Visit date", "type": "date", "formats": ["%Y-%m-%d", "%d/%m/%Y"]},
                "clinic": {"from": "Clinic", "type": "code", "codes": "clinics", "digits": 5, "unknown": True},
                "cost": {"from": "Cost", "type": "number", "thousands": ",", "currency": "£"},
            },
            source={"kind": "csv", "path": "daily"},
            opt_outs={"source": {"kind": "csv", "path": "opt-outs.csv"}, "column": "Patient ID"},
        )
        release = declared_release(
            "visits",
            dataset="visits",
            dimensions=[
                {"name": "clinic", "column": "clinic", "levels": ["code", "district"]},
                {"name": "date", "column": "day", "levels": ["day", "week"]},
            ],
            statistics=[
                {"id": "visits", "kind": "count", "expected_total": 3500},
                {"id": "cost", "kind": "sum", "column": "cost", "lower": 0, "upper": 2000, "resolution": 10},
            ],
            tables=[
                {"id": "clinic-day", "levels": {"clinic": "code", "date": "day"}},
                {"id": "clinic-week", "levels": {"clinic": "code", "date": "week"}},
                {"id": "district-week", "levels": {"clinic": "district", "date": "week"}},
            ],
            start="2024-01-01",
            schedule="30 9 * * 2",
            contribution={"rows": 3},
            series=True,
        )
        (self.folder / "datasets" / "visits.yaml").write_text(yaml.write(dataset))
        (self.folder / "releases" / "visits.yaml").write_text(yaml.write(release))

    def lines(self, day: date, count: int = 500) -> list[list[str]]:
        """A day's visits; a few are late, of a clinic that no list has, or of nobody."""
        found = []
        for person in self.rng.integers(0, 400_000, count):
            late = timedelta(days=int(self.rng.integers(0, 9))) if self.rng.random() < 0.02 else timedelta()
            clinic = CLINICS[self.rng.integers(0, len(CLINICS))] if self.rng.random() < 0.98 else "elsewhere"
            cost = f"£{self.rng.gamma(2, 300):,.2f}"
            name = PERSON.format(person) if self.rng.random() < 0.99 else ""
            found.append([name, (day - late).isoformat(), clinic, cost])
        return found

    def put(self, day: date, lines: list[list[str]], way: int = 0) -> None:
        """A day's file, written in one of the ways of the world."""
        header = list(HEADER)
        match way % 6:
            case 1:  # columns in another order
                header, lines = header[::-1], [line[::-1] for line in lines]
            case 2:  # as a spreadsheet saves it
                lines = [[p, f"{date.fromisoformat(d):%d/%m/%Y}", c.lstrip("0"), x] for p, d, c, x in lines]
            case 3:
                lines = [[p, d, f"{c}.0" if c.isdigit() else c, x] for p, d, c, x in lines]
        text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in [header, *lines]) + "\n"
        raw = text.replace("\n", "\r\n").encode("utf-8-sig") if way % 6 == 4 else text.encode()
        for old in self.files(day):
            old.unlink()
        name = self.folder / "daily" / f"{day}.csv"
        if way % 6 == 5:
            name.with_name(name.name + ".gz").write_bytes(gzip.compress(raw))
        else:
            name.write_bytes(raw)

    def files(self, day: date) -> list[Path]:
        """What has been delivered for a day."""
        return list((self.folder / "daily").glob(f"{day}.csv*"))

    def deliver(self, monday: date) -> None:
        """A sound week."""
        for i in range(7):
            day = monday + timedelta(days=i)
            self.put(day, self.lines(day), way=day.toordinal())


def no_file_of_a_day(clinics: Clinics, monday: date) -> None:
    for file in clinics.files(monday + timedelta(days=2)):
        file.unlink()


def nothing_at_all(clinics: Clinics, monday: date) -> None:
    for i in range(7):
        clinics.put(monday + timedelta(days=i), [])


def dates_as_serials(clinics: Clinics, monday: date) -> None:
    for i in range(7):
        day = monday + timedelta(days=i)
        clinics.put(day, [[p, str((day - date(1899, 12, 30)).days), c, x] for p, _, c, x in clinics.lines(day)])


def a_line_cut_off(clinics: Clinics, monday: date) -> None:
    clinics.put(monday, clinics.lines(monday))
    file = clinics.files(monday)[0]
    file.write_bytes(file.read_bytes()[:-20])


def another_encoding(clinics: Clinics, monday: date) -> None:
    clinics.put(monday, [*clinics.lines(monday), ["zz000001", monday.isoformat(), "Clínica", "£1.00"]])
    file = clinics.files(monday)[0]
    file.write_bytes(file.read_bytes().decode().encode("cp1252"))


def renamed_column(clinics: Clinics, monday: date) -> None:
    clinics.put(monday, clinics.lines(monday))
    file = clinics.files(monday)[0]
    file.write_bytes(file.read_bytes().replace(b"Clinic", b"Site", 1))


def costs_of_another_country(clinics: Clinics, monday: date) -> None:
    for i in range(7):
        day = monday + timedelta(days=i)
        clinics.put(
            day, [[p, d, c, x.replace(",", "").replace(".", ",") + " EUR"] for p, d, c, x in clinics.lines(day)]
        )


def persons_in_another_spelling(clinics: Clinics, monday: date) -> None:
    for i in range(7):
        day = monday + timedelta(days=i)
        clinics.put(day, [[p.replace("zz", "ZZ-"), d, c, x] for p, d, c, x in clinics.lines(day)])


def opt_outs_lost(clinics: Clinics, monday: date) -> None:
    (clinics.folder / "opt-outs.csv").rename(clinics.folder / "opt-outs.kept")


def opt_outs_spelt_otherwise(clinics: Clinics, monday: date) -> None:
    kept = clinics.folder / "opt-outs.csv"
    kept.rename(clinics.folder / "opt-outs.kept")
    kept.write_text("Patient ID\n3\n")


FAULTS: dict[int, tuple[Deliver, str]] = {
    4: (no_file_of_a_day, "QualityError"),
    8: (a_line_cut_off, "SourceError"),
    11: (nothing_at_all, "QualityError"),
    15: (dates_as_serials, "QualityError"),
    19: (another_encoding, "SourceError"),
    24: (renamed_column, "SourceError"),
    29: (costs_of_another_country, "QualityError"),
    33: (opt_outs_lost, "OptOutError"),
    38: (persons_in_another_spelling, "QualityError"),
    43: (opt_outs_spelt_otherwise, "OptOutError"),
}
"""Week → what is wrong with its first delivery, and the error that stops the run."""


def mend(clinics: Clinics, monday: date) -> None:
    """What the clinic does the next morning."""
    kept = clinics.folder / "opt-outs.kept"
    if kept.exists():
        kept.replace(clinics.folder / "opt-outs.csv")
    clinics.deliver(monday)


def published(home: Path, week: str) -> int | None:
    """The visits of a week in its published table; None if there is no such edition."""
    table = home / "public" / "visits" / week / "r1" / "clinic-week.csv"
    if not table.exists():
        return None
    rows = pacsv.read_csv(table).to_pylist()
    return sum(int(row["value"]) for row in rows if row["metric"] == "visits")


def main() -> None:
    """Run the year and say what became of each week."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weeks", type=int, default=52)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        wrong = year(Path(place), options.weeks)
    raise SystemExit("\n".join(["", "Not as it should be:", *wrong]) if wrong else 0)


def year(place: Path, weeks: int) -> list[str]:
    """What was not as it should be."""
    clinics = Clinics(place / "catalogue")
    clinics.declare()
    home = place / "home"
    os.environ["DP_STATS_CATALOGUE"] = str(clinics.folder)
    os.environ.update(local_environment(home))
    wrong: list[str] = []
    first: dict[str, float] = {}
    log = home / "airflow" / "year.log"
    with quiet(log) as terminal:
        progress = Progress(terminal)
        progress.say("Starting Airflow …")
        runner = Runner(progress, home)
        for number in range(1, weeks + 1):
            week = f"2024-W{number:02}"
            monday = parse_period(week).start
            clinics.deliver(monday)
            began = time.monotonic()
            if number in FAULTS:
                fault, error = FAULTS[number]
                fault(clinics, monday)
                start, before = log.stat().st_size, spent()
                progress.say(f"  {week}, {fault.__name__.replace('_', ' ')}:", end="")
                if runner.run(f"visits/{week}") or published(home, week) is not None:
                    wrong.append(f"{week}: published although {fault.__name__}")
                if error not in log.read_text(errors="replace")[start:]:
                    wrong.append(f"{week}: no {error}")
                if spent() != before:
                    wrong.append(f"{week}: a faulty delivery was charged")
                progress.say("")
                mend(clinics, monday)
            progress.say(f"  {week}:", end="")
            if not runner.run(f"visits/{week}") or published(home, week) is None:
                wrong.append(f"{week}: not published")
            first = first or spent()
            if spent() != first:
                wrong.append(f"{week}: charged again")
            progress.say(f"  {published(home, week)} visits, {time.monotonic() - began:.1f} s")
        if any(re.search(rb"zz[0-9]{6}", file.read_bytes(), re.IGNORECASE) for file in home_files(home)):
            wrong.append("a log or a public file holds a person")
    return wrong


def home_files(home: Path) -> list[Path]:
    """Everything outside the secure store."""
    return [p for p in home.rglob("*") if p.is_file() and "secure" not in p.relative_to(home).parts]


def spent() -> dict[str, float]:
    """ρ spent or reserved in each block."""
    ledger = ledger_if_any(load_settings())
    budgets = ledger.blocks("visits") if ledger is not None else ()
    return {budget.block: float(budget.spent + budget.reserved) for budget in budgets}


if __name__ == "__main__":
    main()
