"""What is declared in both ``neighbouring_installations``: rows, code lists, and a catalogue in which everything can be edited."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dp_stats.catalogue.periods import BlockKind, block_of
from tests.builders import declared_dataset, list_of_opt_outs

TARGET = "p0"


@dataclass(frozen=True)
class Row:
    """One row of the source."""

    person: str
    day: date
    clinic: str
    cost: str = "3"

    @property
    def alias(self) -> str:
        """The same person's other identifier."""
        return f"q{self.person.strip()[1:]}"


HEAD = "code,name,district,district_name\n"
DATED = "code,name,district,district_name,valid_from,valid_to,replaced_by\n"
CODES = {
    "as they are": "n,North,A,Upper\ns,South,B,Lower\ne,East,A,Upper\n",
    "in another order": "e,East,A,Upper\ns,South,B,Lower\nn,North,A,Upper\n",
    "in other groups": "n,North,A,Upper\ns,South,A,Upper\ne,East,B,Lower\n",
    "merged": "n,North and south,A,Upper\ne,East,A,Upper\n",
    "with a new area": "n,North,A,Upper\ns,South,B,Lower\ne,East,A,Upper\nw,West,C,Sea\n",
    "renamed": "n,The north,A,Upper\ns,The south,B,Lower\ne,The east,A,Upper\n",
    "two districts of three": "n,North,A,U\ns,South,A,U\ne,East,A,U\nw,West,B,L\nx,Ex,B,L\ny,Why,B,L\n",
    "all in one district": "n,North,A,U\ns,South,A,U\ne,East,A,U\nw,West,A,U\nx,Ex,A,U\ny,Why,A,U\n",
    "merged from January": DATED
    + "n,North,A,Upper,,2024-12-31,m\ns,South,B,Lower,,2024-12-31,m\nm,Both,B,Lower,2025-01-01,,\ne,East,A,Upper,,,\n",
    "split and moved from January": DATED
    + "s,South,B,Lower,,,\nn,North,A,Upper,,2025-01-01,x y\nx,Part X,A,Upper,2025-01-02,,\ny,Part Y,B,Lower,2025-01-02,,\n"
    + "e,East,A,Upper,,2025-01-01,\ne,East,B,Lower,2025-01-02,2025-01-08,\nw,West,C,Sea,2025-01-06,,\n",
}
OPTIONS: dict[str, tuple[Any, ...]] = {
    "rows": (2, 1, 4),
    "upper": (5, 50),
    "resolution": ("1", "1/2"),
    "kind": ("count", "persons"),
    "unit": ("Patient", "Alias"),
    "values": ({}, {"x": "s"}, {"x": "n"}),
    "codes": tuple(CODES),
    "title": ("Visits", "Visits again"),
    "weight": (1, 7),
    "tables": ("both", "one", "turned", "days"),
    "expected": (None, 9),
    "loss": ({"epsilon": 1}, {"rho": "1/10"}, {"epsilon": 2}),
    "late": (None, {"periods": 1}, {"periods": 2, "share": 0.5}),
}
"""Everything that an edit of the catalogue can set, the way it is at first in front."""


@dataclass(frozen=True)
class Declared:
    """What stays declared while the two installations run, and what edits have set."""

    per: BlockKind = "year"
    block: str = "2025"
    one_per_cell: bool = False
    budget: str = "1000"
    set: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.set.get(name, OPTIONS[name][0])

    def hides(self, row: Row) -> bool:
        """Whether a row is one that the smaller installation lacks."""
        return self.is_target(row) and block_of(row.day, self.per) == self.block

    def is_target(self, row: Row) -> bool:
        """Whether a row, or an entry of the opt-out list, is the target's, in whatever spelling."""
        return row.person.strip().replace("-", "").lower() == TARGET

    def files(self) -> dict[str, str]:
        """The catalogue's files and their text."""
        written = {f"releases/{r['id']}.yaml": _written(r) for r in self._releases()}
        return {
            **written,
            "datasets/visits.yaml": _written(self._dataset()),
            "codes/clinics.csv": self._list(),
        }

    def _list(self) -> str:
        text = CODES.get(self["codes"], self["codes"])
        return text if text.startswith(DATED) else HEAD + text

    def _dataset(self) -> dict[str, Any]:
        clinic = {"from": "Clinic", "type": "code", "codes": "clinics", "unknown": True}
        return declared_dataset(
            "visits",
            {
                "patient": {"from": self["unit"], "type": "person"},
                "day": {"from": "Day", "type": "date", "formats": ["%Y-%m-%d"]},
                "clinic": {**clinic, "values": self["values"]} if self["values"] else clinic,
                "cost": {"from": "Cost", "type": "number"},
            },
            title=self["title"],
            custodians=[{"name": "The clinics", "user": "custodian"}],
            privacy_unit={"column": "patient", "per": self.per},
            opt_outs=list_of_opt_outs("opt-outs.csv", self["unit"]),
            budget={"rho": self.budget, "no_approval_below": self.budget},
        )

    def _releases(self) -> Iterable[dict[str, Any]]:
        visits = {"id": "visits", "kind": self["kind"], "title": self["title"]}
        if self["expected"]:
            visits["expected_total"] = self["expected"]
        cost = {
            "id": "cost",
            "kind": "sum",
            "column": "cost",
            "lower": 0,
            "upper": self["upper"],
            "resolution": self["resolution"],
        }
        people = {"id": "people", "kind": "persons"}
        clinic = {"name": "clinic", "column": "clinic", "levels": ["clinic", "district"]}
        rows = {"rows": self["rows"], "one_per_cell": self.one_per_cell}
        shared = {
            "dataset": "visits",
            "title": self["title"],
            "privacy_loss": self["loss"],
            "contribution": rows,
            "texts": {"summary": "V."},
        }
        started = {"start": date(2024, 12, 2), "settle_days": 3, **shared}
        by_clinic = _table("clinics", {"clinic": "clinic"}, "visits")
        by_day = {**_table("days", {"clinic": "district", "date": "day"}, "visits"), "weight": self["weight"]}
        days = {"name": "date", "column": "day", "levels": ["day"]}
        yield {
            "id": "weekly",
            "period": "week",
            "series": True,
            "dimensions": [clinic, days],
            "statistics": [visits],
            "tables": {
                "both": [by_clinic, by_day],
                "one": [by_clinic],
                "turned": [by_day, by_clinic],
                "days": [by_day],
            }[self["tables"]],
            **({"late": self["late"]} if self["late"] and self["kind"] == "count" and not self.one_per_cell else {}),
            **started,
        }
        yield {
            "id": "monthly",
            "period": "month",
            "series": True,
            "dimensions": [clinic, {**days, "levels": ["week"]}],
            "statistics": [cost, people],
            "tables": [
                _table("clinics", {"clinic": "clinic"}, "cost"),
                _table("weeks", {"clinic": "district", "date": "week"}, "people"),
            ],
            **started,
        }
        yield {
            "id": "people",
            "period": "week",
            "series": False,
            "dimensions": [{**days, "levels": ["day", "month"]}],
            "statistics": [people],
            "tables": [_table("months", {"date": "month"}, "people")],
            **started,
        }
        yield {
            "id": "asked",
            "period": "range",
            "series": False,
            "start": date(2024, 12, 28),
            "end": date(2025, 1, 9),
            "requested_by": "analyst",
            "purpose": "To plan.",
            "dimensions": [clinic],
            "statistics": [visits],
            "tables": [by_clinic],
            **shared,
        }


def _written(content: dict[str, Any]) -> str:
    """A declaration as JSON, which is YAML too and written a hundred times faster."""
    return json.dumps(content, default=str)


def _table(id: str, levels: dict[str, str], *statistics: str) -> dict[str, Any]:
    return {"id": id, "title": id, "levels": levels, "statistics": list(statistics)}
