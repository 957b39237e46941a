"""A request is checked as a whole, says what to write instead, and the same question is the same release."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dp_stats.catalogue import load_catalogue
from dp_stats.catalogue.models import PrivacyLoss
from dp_stats.errors import CatalogueError
from dp_stats.ledger.texts import line
from dp_stats.requests.asked_release import make_release
from dp_stats.requests.kept import load_request, save_request
from dp_stats.requests.preflight import loss_for, make_card, pure
from dp_stats.requests.questions import Question, chosen, read_question, request_id
from dp_stats.requests.selection import only_chosen
from dp_stats.settings import shipped
from dp_stats.texts.words import Texts


@pytest.fixture(autouse=True)
def state_folder(clinic: Any) -> None:
    clinic.settings.home.mkdir()


TEXTS = Texts.load(shipped("reports"))
FORM = {
    "dataset": "visits",
    "by": ["visits/clinic/district"],
    "period": "2024-01",
    "epsilon": 1,
    "purpose": "To plan how many nurses are needed.",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epsilonn": 1}, "there is no such field"),
        ({"purpose": "because"}, "Say in a sentence"),
        ({"purpose": None}, "is missing"),
        ({"purpose": " " * 20}, "Say in a sentence"),
        ({"purpose": "\u00a0\u00a0nurses \n" + "\u00a0" * 20}, "Say in a sentence"),
        ({"purpose": "To plan nurses\u202e for the wards."}, "signs that cannot be seen"),
        ({"purpose": "To plan nurses\u200b for the wards."}, "signs that cannot be seen"),
        ({"purpose": "To plan nurses\x00 for the wards."}, "signs that cannot be seen"),
        ({"margin": 10}, "fill in either the privacy loss"),
        ({"epsilon": None}, "fill in either the privacy loss"),
        ({"epsilon": 99}, "at most 20"),
        ({"epsilon": 1e-15}, r"epsilon: must be at least 0\.0001"),
        ({"epsilon": float("nan")}, "epsilon: must be"),
        ({"epsilon": float("inf")}, "epsilon: must be"),
        ({"epsilon": None, "margin": float("inf")}, "margin: must be"),
        ({"epsilon": None, "margin": 1e300}, "margin: must be at most"),
        ({"statistic": "sum", "column": "cost", "lower": float("-inf"), "upper": 5}, "lower: must be"),
        ({"statistic": "sum", "column": "cost", "lower": 0, "upper": float("nan")}, "upper: must be"),
        ({"statistic": "sum", "column": "cost", "lower": 0, "upper": 1e300}, "upper: must be at most"),
        ({"period": "9999"}, "from 1800 to 2299"),
        ({"period": "9999-W52"}, "from 1800 to 2299"),
        ({"period": "9999-12"}, "from 1800 to 2299"),
        ({"period": "0001-01-01"}, "from 1800 to 2299"),
        ({"period": "2020-01-01--9999-12-31"}, "from 1800 to 2299"),
        ({"dataset": "visitors"}, "There are: visits"),
        ({"by": ["clinic/street"]}, "Choose from clinic/clinic, clinic/district"),
        ({"by": ["other/clinic/clinic"]}, "belongs to dataset 'other'"),
        ({"by": ["clinic/clinic", "clinic/district"]}, "chosen at two levels"),
        ({"period": "last week"}, "is not a period"),
        ({"only": "Uper"}, "there is no 'Uper' at the levels asked for. Did you mean Upper"),
        (
            {"only": "Upper\nnorth"},
            "there is no 'north' at the levels asked for. Write codes or names such as A, Upper",
        ),
        ({"by": [], "only": "Upper"}, "Choose a breakdown by areas or bands first"),
    ],
)
def test_a_wrong_form_is_refused_with_what_to_write_instead(clinic: Any, change: dict[str, Any], words: str) -> None:
    with pytest.raises(CatalogueError, match=words):
        read_question({**FORM, **change}, load_catalogue(clinic.folder))


@pytest.mark.parametrize("purpose", ["To plan\u00a0nurses for the wards.", "To plan nurses 🏥 for the wards."])
def test_a_space_that_breaks_no_line_and_a_picture_are_taken_as_they_are_meant(clinic: Any, purpose: str) -> None:
    question = read_question({**FORM, "purpose": purpose}, load_catalogue(clinic.folder))
    assert question.purpose == purpose.replace("\u00a0", " ")


def test_no_words_of_an_analyst_are_a_link_or_shape_the_card() -> None:
    from markdown_it import MarkdownIt

    from dp_stats.airflow.cards import escape

    words = "See HTTPS://WWW.example.org/a, www.example.org or ann@example.org\u202e **now** <b>x</b> [x](y) `z`"
    shown = MarkdownIt("gfm-like").render(escape(words))
    assert not re.search("<(a|b|code|strong)\\b", shown)
    assert "\u202e" not in shown
    assert "**now**" in shown
    # Airflow's page looks for these in the text that comes out of Markdown, and makes links of them.
    assert not re.search(r"(?i)(https?://|www(?=\.))[-.\w]+", shown)
    assert not re.search(r"[-.\w+]+@[-\w]+(\.[-\w]+)+", shown)


@given(st.text(max_size=60))
def test_a_purpose_that_a_form_takes_is_one_that_the_ledger_takes(text: str) -> None:
    try:
        question = Question(dataset="visits", period="2024-01", epsilon=1, purpose=text)
    except ValidationError:
        return
    assert line(question.purpose, "reason")
    assert len(question.purpose.strip()) >= 15


def test_the_same_question_of_the_same_analyst_is_the_same_release_and_nobody_elses(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    question = read_question(FORM, catalogue)
    respelt = read_question({**FORM, "by": ["clinic/district"]}, catalogue)
    assert request_id(question, requested_by="ann") == request_id(respelt, requested_by="ann")
    assert request_id(question, requested_by="ann") != request_id(question, requested_by="bob")
    assert request_id(question, requested_by="ann") != request_id(
        read_question({**FORM, "epsilon": 2}, catalogue), requested_by="ann"
    )


def test_a_request_is_kept_as_a_declaration_that_reads_back_the_same(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    question = read_question(FORM, catalogue)
    release = make_release(
        question,
        catalogue,
        requested_by="ann",
        loss=PrivacyLoss(epsilon=Fraction(1, 3), delta=None, rho=None),
        texts=TEXTS,
    )
    save_request(release, question, clinic.settings)
    assert load_request(release.id, clinic.settings) == (release, question)


def test_an_accuracy_is_turned_into_the_privacy_loss_it_needs(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    question = read_question({**FORM, "epsilon": None, "margin": 60}, catalogue)
    loss = loss_for(question, catalogue, requested_by="ann", texts=TEXTS)
    release = make_release(question, catalogue, requested_by="ann", loss=loss, texts=TEXTS)
    (expected,) = make_card(release, catalogue, clinic.settings).plan.expected
    assert 0.97 * 60 <= expected.margin_95 <= 60
    with pytest.raises(CatalogueError, match="Ask for a coarser breakdown"):
        loss_for(question.model_copy(update={"margin": 0.01}), catalogue, requested_by="ann", texts=TEXTS)


def test_the_card_shows_cost_budget_accuracy_and_the_custodian_and_charges_nothing(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    release = make_release(read_question(FORM, catalogue), catalogue, requested_by="ann", loss=pure(1), texts=TEXTS)
    card = make_card(release, catalogue, clinic.settings)
    (block,) = card.blocks
    assert (block.block, card.approvers, card.refusals, card.free) == ("2024", ("custodian",), (), None)
    assert 0 < block.after < block.before == block.cap
    assert card.unreliable is not None
    assert (
        "there is a limit to how well anyone can tell from these figures whether any one person"
        in card.privacy_sentence(TEXTS)
    )
    assert make_card(release, catalogue, clinic.settings).blocks == card.blocks


def test_whatever_is_changed_in_a_form_is_another_request(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    changes = (
        {"purpose": "To plan how many beds are needed."},
        {"audience": "restricted"},
        {"free": "never"},
        {"only": "upper"},
    )
    ids = [request_id(read_question({**FORM, **c}, catalogue), requested_by="ann") for c in ({}, *changes)]
    assert len(set(ids)) == len(ids)
    assert all(len(i.removeprefix("adhoc-")) == 26 for i in ids)


def test_areas_are_chosen_by_code_or_name(clinic: Any) -> None:
    catalogue = load_catalogue(clinic.folder)
    everything = read_question(FORM, catalogue)
    some = read_question({**FORM, "only": " upper \n\nunknown\n"}, catalogue)
    assert chosen(some, catalogue) == {"clinic": {"A", "unknown"}}
    assert chosen(everything, catalogue) == {}


def test_what_is_chosen_limits_the_file_and_nothing_that_is_published() -> None:
    table = 'metric,clinic_code,clinic,value\nvisits,A,"Upper, East",3\nvisits,B,Lower,4\n'
    assert (
        only_chosen(table, {"clinic": frozenset("A")}) == 'metric,clinic_code,clinic,value\nvisits,A,"Upper, East",3\n'
    )


def test_the_card_says_the_share_of_the_budget_and_what_a_pure_loss_weighs(clinic: Any) -> None:
    from dp_stats.airflow.cards import card_markdown
    from dp_stats.texts.words import Texts

    catalogue = load_catalogue(clinic.folder)
    question = read_question({**FORM, "only": "Upper"}, catalogue)
    release = make_release(question, catalogue, requested_by="ann", loss=pure(1), texts=TEXTS)
    card = make_card(release, catalogue, clinic.settings, only=chosen(question, catalogue))
    (block,) = card.blocks
    assert block.share_before == 1
    assert block.share_cost == pytest.approx(float(card.plan.rho / card.quote.before[0].cap), rel=1e-6)
    assert block.share_after == pytest.approx(1 - block.share_cost)
    text = card_markdown(card, Texts.load(clinic.settings.reports))
    assert f"**{100 * block.share_cost:.1f} %**" in text
    assert "The budget counts in ρ, where this weighs as much as ε =" in text
    assert "Only 1 of the areas or bands was asked for." in text
