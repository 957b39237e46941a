"""A dataset of two custodians' tables about the same people beside the clinic's, under an agreement; ready to be asked about."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dp_stats.catalogue import yaml
from tests.builders import declared_dataset, declared_table, list_of_opt_outs

PERSON = {"type": "person", "identifier": {"pattern": "p[0-9]+"}}
ASK = "ask-linked-visits"


def add_linked_visits(folder: Path) -> None:
    """Write the dataset ``linked-visits`` into a clinic's catalogue: its visits, with the districts where the council knows
    people to live; and the dataset ``clinic-records``, which holds the visits' records with a budget for all days."""
    with (folder / "linked-visits.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Patient", "Day"])
        for number in range(1500):
            rows.writerow([f"p{number * 7 % 500}", (date(2024, 1, 1) + timedelta(days=number % 35)).isoformat()])
    with (folder / "homes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Person", "District"])
        rows.writerows([f"p{number}", "AB"[number % 2]] for number in range(480))
    for name in ("clinic", "council"):
        (folder / f"{name}-opt-outs.csv").write_text("who\np3\n")
    (folder / "codes" / "districts.csv").write_text("code,name\nA,Upper\nB,Lower\n")
    (folder / "expectations" / "any.json").write_text(json.dumps({"name": "any", "expectations": [ANY_ROWS]}))
    (folder / "agreements").mkdir()
    for name, content in (
        ("datasets/clinic-records", RECORDS),
        ("datasets/linked-visits", LINKED),
        ("agreements/visits-and-homes", AGREEMENT),
    ):
        (folder / f"{name}.yaml").write_text(yaml.write(content))


ANY_ROWS = {
    "type": "expect_table_row_count_to_be_between",
    "kwargs": {"min_value": 0, "max_value": 100000},
    "severity": "critical",
}
VISITS: dict[str, Any] = {"source": {"kind": "csv", "path": "linked-visits.csv"}, "expectations": "any.json"}
COLUMNS: dict[str, Any] = {"patient": {"from": "Patient", **PERSON}, "day": {"from": "Day", "type": "date"}}
CLINICS = {"name": "The clinics", "user": "custodian"}
RECORDS = declared_dataset(
    "clinic-records",
    COLUMNS,
    title="Records of the clinics",
    description="One row per visit.",
    custodians=[CLINICS],
    privacy_unit={"column": "patient"},
    opt_outs=list_of_opt_outs("clinic-opt-outs.csv"),
    budget={"epsilon": 20, "delta": "1e-6"},
    **VISITS,
)
LINKED = declared_dataset(
    "linked-visits",
    {"patient": PERSON, "day": "date", "district": "code districts"},
    title="Visits by where people live",
    description="One row per visit of somebody whom the council knows.",
    custodians=[CLINICS, {"name": "The council", "user": "partner"}],
    tables={
        "visits": declared_table(
            "visits",
            COLUMNS,
            custodian="The clinics",
            budget_of="clinic-records",
            opt_outs="clinic-opt-outs.csv",
            **VISITS,
        ),
        "homes": declared_table(
            "homes",
            {
                "person": {"from": "Person", **PERSON},
                "district": {"from": "District", "type": "code", "codes": "districts"},
            },
            custodian="The council",
            opt_outs="council-opt-outs.csv",
            expectations="any.json",
        ),
    },
    steps=[{"step": "join", "of": "visits", "with": "homes", "columns": ["district"], "required": True}],
    expectations="any.json",
    agreement="visits-and-homes",
)
AGREEMENT: dict[str, Any] = {
    "id": "visits-and-homes",
    "version": 1,
    "title": "Visits and homes",
    "datasets": ["linked-visits"],
    "parties": [
        {"name": "The clinics", "role": "custodian", "signed": date(2024, 1, 1)},
        {"name": "The council", "role": "custodian", "signed": date(2024, 1, 1)},
    ],
    "purposes": {"buses": "Plan buses to the clinics", "study": "Study visits"},
    "tables": {
        "visits": {
            "custodian": "The clinics",
            "purposes": ["buses", "study"],
            "legal_basis": "Clinics Act",
            "until": date(2198, 12, 31),
        },
        "homes": {
            "custodian": "The council",
            "purposes": ["buses"],
            "legal_basis": "Council Act",
            "until": date(2198, 12, 31),
        },
    },
    "statistics": [{"kind": "count"}],
    "by": {"district": ["code"], "day": ["week", "month"]},
    "audiences": ["public"],
    "budget": {"epsilon": 10, "delta": "1e-6"},
    "starts": date(2024, 1, 1),
    "review": date(2198, 1, 1),
    "ends": date(2198, 12, 31),
}
QUESTION = {
    "by": ["district/code"],
    "period": "2024-W02",
    "epsilon": 1,
    "purpose": "To plan buses to the clinics.",
    "agreed_purpose": "buses",
    "free": "never",
}
