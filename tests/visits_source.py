"""A small visits: one dataset whose source, columns and opt-outs a test may bend, and its rows to pull."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from dp_stats.catalogue import load_catalogue, yaml
from dp_stats.catalogue.periods import parse_period
from dp_stats.secure.pull import Snapshot, pull
from dp_stats.secure.staging import staging_folder
from dp_stats.settings import Settings, load_settings
from tests.builders import declared_dataset

Row = tuple[Any, ...]


@dataclass
class VisitsSource:
    """A catalogue with one dataset, `visits`, and a state folder, both in a folder of the test's own."""

    folder: Path
    declared: dict[str, Any] = field(default_factory=dict)
    period: str = "2020-W11"

    def __post_init__(self) -> None:
        self.settings: Settings = load_settings(
            {"DP_STATS_HOME": str(self.folder / "home"), "DP_STATS_CATALOGUE": str(self.folder / "catalogue")}
        )
        for name in ("datasets", "releases", "codes"):
            (self.folder / "catalogue" / name).mkdir(parents=True)
        self.declared = declared_dataset(
            "visits",
            {
                "person": {"from": "Patient ID", "type": "person"},
                "day": {"from": "visit date", "type": "date", "formats": ["%d-%m-%Y", "%Y-%m-%d"]},
                "area": {"from": "Area", "type": "code", "codes": "areas", "values": {"Old Town": "A1"}},
                "age_band": {
                    "from": "age",
                    "type": "band",
                    "codes": "bands",
                    "unknown": True,
                    "values": {"Not Reported": "unknown"},
                },
                "nights": "number",
            },
            source={"kind": "csv", "path": "${DP_STATS_HOME}/source/visits.csv"},
            budget={"epsilon": 1, "delta": 1e-6},
        )
        self.write("catalogue/codes/areas.csv", "code,name\nA1,Old Town\nA2,Harbour\nß3,Straße\n")
        self.write(
            "catalogue/codes/bands.csv", "code,name,lower,upper\n0-17,Child,0,17\n18-64,Adult,18,64\n65+,Older,65,\n"
        )

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file below the test's folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def source(self, content: str | bytes, **declared: Any) -> None:
        """Give the dataset a CSV source with this content."""
        self.write("home/source/visits.csv", content)
        self.declared["source"] |= declared

    def opt_outs(self, content: str | bytes | None, **declared: Any) -> None:
        """Give the dataset an opt-out list with this content (None: declared, but not there)."""
        if content is not None:
            self.write("home/source/opt-outs.csv", content)
        source = {"kind": "csv", "path": "${DP_STATS_HOME}/source/opt-outs.csv"} | declared
        self.declared["opt_outs"] = {"source": source, "column": "Patient ID"}

    def save(self) -> None:
        """Write the dataset's declaration into the catalogue."""
        self.write("catalogue/datasets/visits.yaml", yaml.write(self.declared))

    def pull(self) -> Snapshot:
        """Pull the week that the source is about."""
        self.save()
        catalogue = load_catalogue(self.settings.catalogue)
        return pull(
            catalogue.datasets["visits"],
            catalogue=catalogue,
            period=parse_period(self.period),
            folder=self.staging,
            settings=self.settings,
        )

    @property
    def staging(self) -> Path:
        """Where the rows of the test's edition are staged."""
        return staging_folder(self.settings.secure, release="visits-by-area", period=self.period)

    def rows(self, which: str = "snapshot") -> list[Row]:
        """Pull, and return the rows of one of the staged files, in order."""
        snapshot = self.pull()
        path = {"snapshot": snapshot.path, "intake": snapshot.intake, "source": snapshot.source}[which]
        return sorted(duckdb.sql(f"SELECT * FROM '{path}'").fetchall(), key=str)
