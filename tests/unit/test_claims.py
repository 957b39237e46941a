"""The public is told only what a record holds: no text asserts an approval, a purpose, a status, an objection or a law.

Every public text that speaks of such things stands here with what it rests on, and what is made of the texts is held against
the records: over all records, and with texts that assert what no record holds, which must be noticed.
"""

from __future__ import annotations

import dataclasses
import html
import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import pytest
from english import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from site_editions import covid_edition

from dp_stats.catalogue.periods import parse_period
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.editions.edition import ApprovalFacts, Edition
from dp_stats.editions.privacy_record import privacy_record
from dp_stats.editions.registry_record import registry_record
from dp_stats.editions.stewardship_facts import AgreementFacts, DrawFacts, PartyFacts, RecordsFacts
from dp_stats.outlets.data_use import data_use, register_csv
from dp_stats.site import methods_page, record_pages
from dp_stats.site.frame import Site, environment
from dp_stats.site.privacy_panel import odds_text, right_guesses
from dp_stats.site.writer import Writer
from dp_stats.texts.words import Texts

REPORTS = Path(__file__).resolve().parents[2] / "reports"
SPEAKS = re.compile(
    r"approv|refus|\bsigned\b|official|accredit|certif|\bopt(?:ed)?[- ]?outs?\b|consent|standing\b|custodian|\blaws?\b|legal|"
    r"purpose|requested|\bspen[dt]|proven|prove\b|anyone|nobody|everyone|hardly|almost|\bnothing|\bsure\b",
    re.IGNORECASE,
)
"""Words of texts that may assert what only a record can hold."""

LABEL, DEFINITION, SOFTWARE = (
    "a label, asserts nothing",
    "the definition of the guarantee",
    "what the software does, tested",
)
RESTS_ON = {
    "site.tagline": DEFINITION,
    "site.built": SOFTWARE,
    "front.lead": DEFINITION,
    "release.first_edition": "revision.supersedes",
    "glossary.terms.custodian.find.0": DEFINITION,
    "glossary.terms.custodian.find.1": DEFINITION,
    "glossary.terms.custodian.term": DEFINITION,
    "glossary.terms.differential-privacy.text": DEFINITION,
    "glossary.terms.noise.text": DEFINITION,
    "glossary.terms.opt-out.find.0": DEFINITION,
    "glossary.terms.opt-out.find.1": DEFINITION,
    "glossary.terms.opt-out.term": DEFINITION,
    "glossary.terms.privacy-budget.text": DEFINITION,
    "edition.check": "log",
    "methodology.lead": LABEL,
    "corrections.none": "revision",
    "register.lead": LABEL,
    "register.legal": LABEL,
    "register.custodians": LABEL,
    "register.optouts": LABEL,
    "register.access_text": SOFTWARE,
    "register.requested": LABEL,
    "register.approvals": LABEL,
    "register.spent": LABEL,
    "register.spent_text": "budget.spent",
    "claim.decided.approved": "approvals.decision",
    "claim.decided.refused": "approvals.decision",
    "claim.deputy": "approvals.instead_of",
    "claim.not_asked": "approval_asked",
    "claim.not_asked_each": "approval_asked",
    "claim.signed": "dataset.agreement",
    "claim.asked.scheduled": "release.schedule",
    "claim.asked.declared": "release.requested_by",
    "claim.opt_outs.applied": "dataset.opt_outs_applied",
    "claim.opt_outs.none": "dataset.opt_outs_applied",
    "claim.opt_outs.lists": "dataset.records",
    "claim.agreement": "dataset.agreement",
    "claim.access.asked": "release.audience",
    "claim.basis_of": "dataset.records",
    "claim.held_by": "dataset.records",
    "claim.link": "dataset.links",
    "register.purpose": LABEL,
    "budget.lead": "budget.cap",
    "budget.dataset_of": "dataset.custodians",
    "budget.caption": "budget.spent",
    "budget.spent": LABEL,
    "budget.meter": "budget.spent",
    "budget.share": LABEL,
    "budget.lost": "log",
    "record.notes": "budget.spent",
    "private.odds_all": "budget.spent",
    "budget.what_text": DEFINITION,
    "budget.check_text": "log",
    "accessibility.plans": LABEL,
    "calendar.none": "release.schedule",
    "note.nothing_truncated": "guarantee.why_nothing_is_truncated",
    "plan.warnings.unmeasured_truncation": "quality.notes",
    "plan.warnings.undeclared_repeats": "quality.notes",
    "request.privacy": DEFINITION,
    "method.md: 1. **Declare.** What": SOFTWARE,
    "method.md: 4. **Bound.** Where ": SOFTWARE,
    "method.md: 7. **Say how sure.**": SOFTWARE,
    "methodology.md: *Differential privac": DEFINITION,
    "methodology.md: | Measure | on the s": SOFTWARE,
    "methodology.md: | Estimate | outside": SOFTWARE,
    "methodology.md: Noise has a fixed si": SOFTWARE,
    "methodology.md: - The protection is ": "budget.spent",
}
"""Text → what it rests on: a field of an edition's facts, or why it needs none."""

ASSERTED: dict[str, Callable[[Edition], bool]] = {
    r"\bapproved\b|\bapproves\b|\bapproval of\b": lambda e: any(a.decision == "approved" for a in e.approvals),
    r"\brefused\b": lambda e: any(a.decision == "refused" for a in e.approvals),
    r"\blapse\b": lambda e: any(a.decision == "expired" for a in e.approvals),
    r"No decision of a person": lambda e: not e.approvals,
    r"signed the data-sharing agreement": lambda e: e.dataset.agreement is not None,
    r"asks for no (further )?approval|nobody was asked": lambda e: not e.approvals and e.approval_asked is False,
    r"standing approval|covered by": lambda e: False,
    r"official statistic|accredited": lambda e: "official statistic" in e.release.practice.status.lower(),
    r"opt-outs were removed|opted out (?:were|are) removed before": lambda e: e.dataset.opt_outs_applied,
    r"were removed from every table": lambda e: any(r.opt_outs_applied for r in e.dataset.records),
    r"measured under it after|agreed by": lambda e: e.dataset.agreement is not None,
    r"also costs the budget": lambda e: bool(e.draws),
    r"No list of opt-outs|law provides for none|No opt-out": lambda e: not e.dataset.opt_outs_applied,
    r"on a schedule|scheduled by": lambda e: e.release.requested_by is None and bool(e.release.schedule),
    r"when it is ready": lambda e: e.release.requested_by is None and not e.release.schedule,
    r"\bad hoc request": lambda e: bool(e.release.requested_by),
    r"a proven limit on what anyone can learn|ε = 0 is nothing|hardly tell|almost as likely": lambda e: False,
}
"""What pages and records may say → whether an edition's record holds it."""


def unsupported(said: str, edition: Edition) -> list[str]:
    """What is asserted and no record holds."""
    return [p for p, holds in ASSERTED.items() if re.search(p, said, re.IGNORECASE) and not holds(edition)]


def leaves(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from leaves(value, f"{key}.{number}")
    else:
        yield key, str(node)


def speaking(words: Any, pages: dict[str, str]) -> dict[str, str]:
    """Every text that speaks of what only a record can hold."""
    lines = ((f"{name}: {line[:20]}", line) for name, text in pages.items() for line in text.splitlines())
    return {key: text for key, text in (*leaves(words), *lines) if SPEAKS.search(text)}


ENGLISH_PAGES = {p.name: p.read_text(encoding="utf-8") for p in sorted((REPORTS / "texts" / "en").glob("*.md"))}
LEFT_ALONE = re.compile(r"^column\.|^guarantee\.protections\.")
"""Descriptions of columns ('official code') and of attacks, whose words only sound alike."""


def unlisted(words: Any, pages: dict[str, str]) -> set[str]:
    found = {key for key in speaking(words, pages) if not LEFT_ALONE.match(key)}
    return found ^ set(RESTS_ON)


def test_every_text_that_speaks_of_approval_purpose_law_or_spending_rests_on_a_record() -> None:
    assert unlisted(TEXTS.words, ENGLISH_PAGES) == set()


@pytest.mark.parametrize(
    "sentence",
    [
        "The custodian approves it before any record is read.",
        "Covered by the custodian's standing approval.",
        "These are accredited official statistics.",
        "The law provides for no opt-out.",
        "ε = 0 is nothing.",
    ],
)
def test_a_new_sentence_that_asserts_something_is_noticed_wherever_it_stands(sentence: str) -> None:
    words = {**TEXTS.words, "site": {**TEXTS.words["site"], "new": sentence}}
    assert unlisted(words, ENGLISH_PAGES) == {"site.new"}
    page = {**ENGLISH_PAGES, "method.md": f"{ENGLISH_PAGES['method.md']}\n{sentence}"}
    assert unlisted(TEXTS.words, page) == {f"method.md: {sentence[:20]}"}


def test_what_a_text_rests_on_is_a_field_of_an_editions_facts() -> None:
    for basis in sorted(set(RESTS_ON.values()) - {LABEL, DEFINITION, SOFTWARE}):
        model: Any = Edition
        for name in basis.split("."):
            model = next(_models(model.model_fields[name].annotation), None)


def _models(kind: Any) -> Iterator[Any]:
    """The kinds of facts that a type holds."""
    if hasattr(kind, "model_fields"):
        yield kind
    for part in get_args(kind):
        yield from _models(part)


BASE = covid_edition(parse_period("2021-W07"), limit=2)
DECISIONS = ("approved", "refused", "expired")
AGREEMENT = AgreementFacts(
    id="sharing",
    title="Shared stays",
    version=2,
    sha256="0" * 64,
    purpose="Plan winter beds together",
    parties=(PartyFacts(name="The hospitals", role="custodian", signed=date(2025, 1, 1)),),
    ends=date(2027, 1, 11),
    review=date(2026, 1, 11),
)


@st.composite
def recorded(draw: st.DrawFn) -> Edition:
    """An edition with any of the records that claims are made from."""
    decided = tuple(
        ApprovalFacts(
            approver=f"person {n}", decision=decision, when="2021-01-04T00:00:00Z", instead_of="dph" if n == 1 else ""
        )
        for n, decision in enumerate(draw(st.lists(st.sampled_from(DECISIONS), max_size=3)))
    )
    asked = draw(st.sampled_from([None, "ada"]))
    release = {
        "requested_by": asked,
        "schedule": None if asked else draw(st.sampled_from([None, "30 9 * * 4"])),
        "purpose": draw(st.sampled_from(["", "Plan winter beds."])),
        "public_benefit": draw(st.sampled_from(["", "Helps to plan."])),
    }
    applied = draw(st.booleans())
    dataset: dict[str, Any] = {"opt_outs_applied": applied, "legal_basis": draw(st.sampled_from(["", "Health Act"]))}
    several = draw(st.booleans())
    if several:
        dataset["records"] = tuple(
            RecordsFacts(name=name, custodian=f"Holder of {name}", opt_outs_applied=applied and name == "stays",
                         legal_basis=draw(st.sampled_from(["", f"Act on {name}"])))
            for name in ("stays", "homes")
        )  # fmt: skip
    if draw(st.booleans()):
        dataset["agreement"] = AGREEMENT
    draws = (DrawFacts(dataset="records", rho=Fraction(1, 2), epsilon=4.5),) if several and draw(st.booleans()) else ()
    return BASE.model_copy(
        update={
            "approvals": decided,
            "approval_asked": draw(st.sampled_from([None, False, True])),
            "release": BASE.release.model_copy(update=release),
            "dataset": BASE.dataset.model_copy(update=dataset),
            "draws": draws,
        }
    )


def everything_said(edition: Edition, texts: Texts, folder: Path) -> str:
    """The words of the pages and records that claim something of an edition."""
    view = ReleaseView(edition.release.id, (Revision(edition, folder, "final"),), texts)
    pages: dict[str, str] = {}
    writer = Writer(folder, incremental=False, put=lambda path, data: bool(pages.setdefault(path.name, data.decode())))
    site = Site(folder, REPORTS, texts, environment(REPORTS), writer, (view,), "")
    writer.due("pages", "")
    record_pages.register_page(site)
    parts: list[str] = [html.unescape(re.sub(r"<[^>]+>", " ", pages["register.html"]))]
    parts += [str(fact) for fact in methods_page.guarantee(site, edition)]
    use = data_use([edition], spend=None, base_url="", texts=texts)
    parts += [use.model_dump_json(), register_csv([use], texts).decode()]
    parts += [
        str(privacy_record(edition, texts)),
        str(registry_record(edition, texts)),
        odds_text(texts, edition),
        texts.page("method"),
        texts("front.lead"),
    ]
    parts += [texts("budget.lead"), texts("budget.what_text"), texts.page("methodology")]
    return re.sub(r"\s+", " ", " ".join(parts))


@settings(deadline=None, max_examples=40)
@given(edition=recorded())
def test_pages_and_records_say_what_the_records_hold_and_nothing_else(edition: Edition) -> None:
    said = everything_said(edition, TEXTS, REPORTS)
    assert unsupported(said, edition) == []
    for decision in edition.approvals:
        by = f"{decision.approver}, as the deputy of dph," if decision.instead_of else decision.approver
        assert by in said
    signed = ["The hospitals signed the data-sharing agreement on 1 January 2025", "asks for no further approval"]
    unasked = {False: signed if edition.dataset.agreement else ["asks for no approval"]}
    expected = [] if edition.approvals else unasked.get(edition.approval_asked, ["No decision of a person"])
    expected += [edition.release.requested_by or ("on a schedule" if edition.release.schedule else "when it is ready")]
    expected += [_opt_outs(edition), *_bases(edition)]
    expected += [AGREEMENT.title, AGREEMENT.purpose, "11 January 2026"] if edition.dataset.agreement else []
    expected += ["the dataset records ε = 4.5"] if edition.draws else []
    assert [one for one in expected if one not in said] == []


def _opt_outs(edition: Edition) -> str:
    if any(records.opt_outs_applied for records in edition.dataset.records):
        return "the declared list of Holder of stays were removed from every table"
    return "opt-outs were removed" if edition.dataset.opt_outs_applied else "No list of opt-outs"


def _bases(edition: Edition) -> list[str]:
    shared = [f"{r.name} ({r.custodian}): {r.legal_basis}" for r in edition.dataset.records if r.legal_basis]
    return shared or [edition.dataset.legal_basis or "not recorded"]


BROKEN = [
    ("claim.no_approval", "declared in the catalogue and covered by the custodian's standing approval"),
    ("claim.unknown", "Official statistics"),
    ("claim.opt_outs.none", "People who opted out were removed before anything was counted."),
    ("claim.opt_outs.applied", "The law provides for none."),
    ("claim.asked.declared", "scheduled by the custodian"),
    ("front.lead", "with a proven limit on what anyone can learn from it about one person."),
    ("budget.what_text", "ε = 0 is nothing."),
    ("method.md", "and the custodian approves it before any record is read."),
]


@pytest.mark.parametrize(("key", "sentence"), BROKEN)
def test_a_text_that_asserts_what_no_record_holds_is_found(key: str, sentence: str, tmp_path: Path) -> None:
    """The old sentences, each put back in turn, with an edition whose records hold none of it."""
    texts = TEXTS
    if key.endswith(".md"):
        for name, text in ENGLISH_PAGES.items():
            (tmp_path / name).write_text(f"{text}\n{sentence}" if name == key else text, encoding="utf-8")
        texts = dataclasses.replace(TEXTS, folder=tmp_path, _found={})
    else:
        texts = dataclasses.replace(TEXTS, words=_with(TEXTS.words, key.split("."), sentence), _found={})
    none: Sequence[ApprovalFacts] = ()
    release = BASE.release.model_copy(
        update={"requested_by": None, "schedule": None, "purpose": "", "public_benefit": ""}
    )
    applied = key == "claim.opt_outs.applied"
    dataset = BASE.dataset.model_copy(update={"opt_outs_applied": applied, "legal_basis": ""})
    edition = BASE.model_copy(update={"approvals": none, "release": release, "dataset": dataset})
    assert unsupported(everything_said(edition, TEXTS, REPORTS), edition) == []
    assert unsupported(everything_said(edition, texts, REPORTS), edition) != []


def _with(words: Any, path: list[str], text: str) -> Any:
    return text if not path else {**words, path[0]: _with(words[path[0]], path[1:], text)}


@given(epsilon=st.floats(0, 12), delta=st.sampled_from([0.0, 1e-6, 1e-3]))
def test_the_odds_are_what_the_definition_allows_and_no_less(epsilon: float, delta: float) -> None:
    """Two distributions that the definition allows, as far apart as it does (Kairouz, Oh and Viswanath 2015)."""
    more = (1 - delta) * math.exp(epsilon) / (1 + math.exp(epsilon))
    used = {"surely": delta, "rather": more, "hardly": 1 - delta - more, "never": 0.0}
    unused = {"surely": 0.0, "rather": 1 - delta - more, "hardly": more, "never": delta}
    for s in (["surely", "rather"], ["surely"], ["rather"], ["hardly", "never"]):
        assert sum(used[o] for o in s) <= math.exp(epsilon) * sum(unused[o] for o in s) + delta + 1e-9
    right = 100 * sum(max(used[o], unused[o]) for o in used) / 2
    said = right_guesses(epsilon, delta)
    assert said is None if right > 99 + 1e-6 else (said is None or (right <= said + 1e-6 and said < right + 1 + 1e-6))


def test_the_odds_of_a_release_are_said_with_its_own_loss() -> None:
    guarantee = BASE.guarantee.model_copy(update={"pure_epsilon": Fraction(2)})
    said = odds_text(TEXTS, BASE.model_copy(update={"guarantee": guarantee}))
    assert "right at most 89 times in 100" in said
    assert "your records of one year" in said
    lost = BASE.guarantee.model_copy(update={"pure_epsilon": None, "epsilon": 9.0})
    assert "more than 99 times in 100" in odds_text(TEXTS, BASE.model_copy(update={"guarantee": lost}))
