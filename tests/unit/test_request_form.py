"""The form offers what its dataset declares, in the words of its releases, changes no number, and says what may be spent."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clinic_requests import FORM
from linked_clinic import add_linked_visits

from dp_stats import requests
from dp_stats.airflow.cards import card_markdown
from dp_stats.airflow.form import form
from dp_stats.airflow.requests_page import _left
from dp_stats.catalogue import load_catalogue
from dp_stats.requests.questions import chosen, levels_of, read_question
from dp_stats.settings import load_settings, shipped
from dp_stats.texts.words import Texts

TIGHT = {"epsilon": 2, "delta": "1e-6", "adhoc": 0.5, "per_analyst": 0.1}
BY = {
    "clinic/clinic": "Site: clinic",
    "clinic/district": "Site: part of town",
    "day/day": "Day: day",
    "day/week": "Day: week",
}


@pytest.fixture
def titled(clinic: Any) -> Any:
    add_linked_visits(clinic.folder)
    dimensions = [
        {
            "name": "clinic",
            "column": "clinic",
            "levels": ["clinic", "district"],
            "title": "Site",
            "level_titles": {"district": "part of town"},
        },
        {"name": "date", "column": "day", "levels": ["day", "week"]},
    ]
    clinic.change("releases/visits.yaml", dimensions=dimensions)
    return clinic


def fields(folder: Path, dataset: str = "visits") -> dict[str, Any]:
    catalogue = load_catalogue(folder)
    return {name: param.schema for name, param in form(catalogue, catalogue.datasets[dataset]).items()}


def test_breakdowns_are_those_of_the_dataset_alone_by_their_titles(titled: Any) -> None:
    own, linked = fields(titled.folder)["by"], fields(titled.folder, "linked-visits")["by"]
    assert own["values_display"] == BY
    assert own["items"]["enum"] == own["examples"] == list(BY)
    assert linked["values_display"] != BY


def test_means_and_rates_can_be_asked_for_where_there_are_numbers_and_people(titled: Any) -> None:
    assert fields(titled.folder)["statistic"]["enum"] == ["count", "persons", "sum", "mean", "rate"]
    codes = titled.folder / "codes/clinics.csv"
    codes.write_text(codes.read_text().replace(",population", ",beds"))
    assert "rate" not in fields(titled.folder)["statistic"]["enum"]


def test_no_number_has_a_bound_that_airflows_page_would_change_it_to(titled: Any) -> None:
    for name, schema in fields(titled.folder).items():
        assert not {"minimum", "maximum"} & schema.keys(), name
    assert fields(titled.folder)["epsilon"]["allOf"] == [{"minimum": 0.0001, "maximum": 20.0}]


def test_form_card_and_page_say_what_who_asks_and_all_requests_may_spend(titled: Any) -> None:
    titled.settings.home.mkdir()
    titled.change("datasets/visits.yaml", budget=TIGHT)
    catalogue = load_catalogue(titled.folder)
    said = str(form(catalogue, catalogue.datasets["visits"])["epsilon"].description)
    assert "One analyst may use 10 % of each year's budget, all requests together may use 50 % of each" in said
    made = requests.ask({**FORM, "epsilon": 0.1}, requested_by="ann")
    card = card_markdown(requests.card(made.id), Texts.of(load_settings()))
    assert "Before this request may still be spent by all ad hoc requests together 50.0 % of the budget of 2024" in card
    assert "by who asks 10.0 % of the budget of 2024" in card
    (block,) = _left(catalogue.datasets["visits"], None, "ann")
    assert (block["mine"].partition(" (")[0], block["all"].partition(" (")[0]) == ("10.0 %", "50.0 %")


def test_areas_and_bands_are_chosen_from_every_list_that_is_shipped() -> None:
    catalogue = load_catalogue(shipped("catalogue"))
    tried = 0
    for dataset in catalogue.datasets.values():
        for column, levels in levels_of(catalogue, dataset).items():
            declared = dataset.columns[column].codes
            for level in levels if declared else ():
                codes = catalogue.on(date(2021, 6, 30)).codes[str(declared)]
                code = codes.column(level)[0] if level in codes.header else codes.codes[0]
                asked = {**FORM, "dataset": dataset.id, "by": [f"{column}/{level}"], "period": "2021-06", "only": code}
                assert chosen(read_question(asked, catalogue), catalogue) == {column: {code}}
                tried += 1
    assert tried > 10
