"""What people see in Airflow: an analyst fills in the form, a custodian reads the card and decides, both look at the budget;
an engineer revises what is published.

With ``SCREENSHOTS=docs/images`` the pictures of the documentation are made again.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from airflow_server import ADHOC, OFTEN, Server, airflow_server
from linked_clinic import ASK, add_linked_visits
from linked_clinic import QUESTION as LINKED_QUESTION
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect, sync_playwright

import dp_stats.estimate
from dp_stats import pipeline
from dp_stats.catalogue import yaml
from dp_stats.editions.verify import verify_public
from dp_stats.estimate import estimator

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
SECONDS = 1000
WIDE, NARROW = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
expect.set_options(timeout=60 * SECONDS)
PICTURES = os.environ.get("SCREENSHOTS")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with airflow_server(tmp_path_factory.mktemp("ui"), also=add_linked_visits, **OFTEN) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        executable = CHROMIUM if Path(CHROMIUM).exists() else None
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _closed(chromium: Browser) -> Iterator[None]:
    """Pages of Airflow go on asking its server as long as they are open, and take time from all that comes after."""
    yield
    for context in chromium.contexts:
        context.close()


def log_in(chromium: Browser, server: Server, user: str) -> Page:
    page = chromium.new_context(viewport=WIDE, accept_downloads=True).new_page()
    page.set_default_timeout(60 * SECONDS)
    page.goto(server.url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", server.passwords[user])
    page.click("button[type=submit]")
    expect(page.get_by_test_id("nav-home-link")).to_be_visible()
    return page


def picture(page: Page, name: str, height: int = 1000) -> None:
    if PICTURES:
        page.set_viewport_size({"width": 1400, "height": height})
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(PICTURES) / f"airflow-{name}.png")


def open_form(page: Page, server: Server) -> Locator:
    page.goto(f"{server.url}/dags/ask-visits")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog").filter(has_text="Trigger Dag")
    expect(form.get_by_text("Broken down by")).to_be_visible()
    return form


def fill_in(page: Page, form: Locator, *, period: str, epsilon: str, purpose: str) -> None:
    form.locator("[name=element_period]").fill(period)
    form.locator("[name=element_epsilon]").fill(epsilon)
    form.locator("[name=element_purpose]").fill(purpose)
    form.get_by_text("Select one or multiple values").click(force=True)
    page.keyboard.type("district")
    page.keyboard.press("Enter")


def trigger(page: Page, form: Locator) -> str:
    """Press the button, which a message may lie over; returns the run."""
    with page.expect_response(
        lambda answer: answer.url.endswith("/dagRuns") and answer.request.method == "POST"
    ) as sent:
        form.get_by_role("button", name="Trigger").press("Enter")
    return str(sent.value.json()["dag_run_id"])


def to_decide(page: Page, server: Server) -> FrameLocator:
    page.goto(f"{server.url}/plugin/to-decide")
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_role("heading", name="To decide")).to_be_visible()
    return frame


def required_action(server: Server, run: str, *, dag: str = "ask-visits", number: int = 0) -> str:
    """Where Airflow asks for an answer."""
    return f"{server.url}/dags/{dag}/runs/{run.replace('+', '%2B')}/tasks/approve/mapped/{number}/required_actions"


def click_answer(page: Page, choice: str, reason: str) -> None:
    """Answer a required action that is open, and be thanked for it."""
    page.locator("textarea, input[name=element_reason]").last.fill(reason)
    with page.expect_response(
        lambda answer: "hitlDetails" in answer.url and answer.request.method == "PATCH"
    ) as answered:
        page.get_by_role("button", name=choice).click()
    assert answered.value.ok


def test_from_the_form_to_the_download(server: Server, chromium: Browser) -> None:
    analyst = log_in(chromium, server, "analyst")

    form = open_form(analyst, server)
    expect(form.get_by_text("This field is required").first).to_be_visible()
    expect(form.get_by_role("button", name="Trigger")).to_be_disabled()
    picture(analyst, "form-empty", height=1000)
    fill_in(
        analyst, form, period="2024-01-08--2024-01-20", epsilon="1.5", purpose="To plan how many nurses are needed."
    )
    form.locator("[name=element_only]").fill("Upper")
    expect(form.get_by_role("button", name="Trigger")).to_be_enabled()
    picture(analyst, "form", height=1560)
    run = trigger(analyst, form)

    server.approval(run)
    required = required_action(server, run)
    analyst.goto(required)
    expect(analyst.get_by_text("What it costs")).to_be_visible()
    analyst.locator("textarea, input[name=element_reason]").last.fill("I need it.")
    with analyst.expect_response(  # the answer, not what the page asks for from time to time
        lambda answer: "hitlDetails" in answer.url and answer.request.method == "PATCH"
    ) as refused:
        analyst.get_by_role("button", name="Approve").click()
    assert refused.value.status == 403

    custodian = log_in(chromium, server, "custodian")
    custodian.goto(required)
    expect(custodian.get_by_text("What the public will read about privacy")).to_be_visible()
    expect(custodian.get_by_text("To plan how many nurses are needed.")).to_be_visible()
    expect(custodian.get_by_role("button", name="Approve")).to_be_disabled()  # while there is no reason
    custodian.locator("textarea, input[name=element_reason]").last.fill("Useful, and cheap.")
    picture(custodian, "approval", height=1160)
    custodian.get_by_role("button", name="Approve").click()
    assert server.finish("ask-visits", run) == "success"
    custodian.goto(f"{server.url}/dags/ask-visits/runs/{run.replace('+', '%2B')}")
    expect(custodian.get_by_text("publish").first).to_be_visible()

    analyst.goto(f"{server.url}/plugin/privacy-budget")
    budget = analyst.frame_locator("iframe").first
    expect(budget.get_by_role("heading", name="Privacy budget")).to_be_visible()
    expect(budget.get_by_text("Block 2024")).to_be_visible()
    expect(budget.get_by_text("To plan how many nurses are needed.")).to_be_visible()
    picture(analyst, "budget")
    budget.get_by_role("link", name=re.compile("^adhoc-")).click()
    expect(budget.get_by_role("heading", name=re.compile("Visits by clinic"))).to_be_visible()
    picture(analyst, "edition")
    with analyst.expect_download() as download:
        budget.get_by_role("link", name="answer.csv", exact=True).click()
    whole = Path(download.value.path()).read_text()
    assert whole.startswith("metric,clinic_code,clinic,date")
    assert ",Lower," in whole
    with analyst.expect_download() as download:
        budget.get_by_role("link", name="Only the areas and bands that were asked for").click()
    mine = Path(download.value.path()).read_text().splitlines()
    assert mine == [line for line in whole.splitlines() if ",Lower," not in line and ",Unknown," not in line]
    budget.get_by_role("link", name=f"ask-visits/{run}").click()
    analyst.wait_for_url(re.compile("/dags/ask-visits/runs/"))

    analyst.goto(server.url)
    expect(analyst.get_by_text("ε").first).to_be_visible()
    expect(analyst.get_by_role("link", name="Details")).to_be_visible()


def test_what_is_published_answers_for_nothing_and_is_downloaded_on_a_narrow_window(
    server: Server, chromium: Browser
) -> None:
    run = server.ask(free="always", purpose="To see how many nurses were needed.")
    assert server.finish("ask-visits", run) == "success"
    analyst = log_in(chromium, server, "analyst")
    analyst.set_viewport_size(NARROW)
    page = my_requests(analyst, server)
    with analyst.expect_download() as download:
        page.get_by_role("link", name="Download the figures").first.click()
    assert Path(download.value.path()).read_text().startswith("clinic_code,clinic,period,value,lower_95")
    analyst.goto(f"{server.url}/plugin/privacy-budget")
    budget = analyst.frame_locator("iframe").first
    budget.get_by_role("link", name="Run", exact=True).first.click()
    analyst.wait_for_url(re.compile("/dags/[a-z-]+/runs/"))


def decide(page: Page, server: Server, run: str, number: int, choice: str) -> None:
    """Answer a required action as the one it was put to, by clicking."""
    server.wait_for_log("scheduler", f"task_id=approve, run_id={run}, map_index={number}, ")
    page.goto(required_action(server, run, dag=ASK, number=number))
    expect(page.get_by_text("Every one of these must approve: custodian, partner.")).to_be_visible()
    click_answer(page, choice, "As we agreed.")


def test_linked_records_are_measured_when_both_custodians_have_clicked(server: Server, chromium: Browser) -> None:
    run = server.ask(dag=ASK, **LINKED_QUESTION)
    custodian = log_in(chromium, server, "custodian")
    decide(custodian, server, run, 0, "Approve")
    expect(custodian.get_by_text("Council Act")).to_be_visible()
    picture(custodian, "two-custodians", height=1500)
    assert not [b for b in server.ledger().blocks() if b.dataset == "linked-visits"], "one of two is not enough"
    partner = log_in(chromium, server, "partner")
    partner.set_viewport_size(NARROW)
    decide(partner, server, run, 1, "Approve")
    assert server.finish(ASK, run) == "success"
    held = {b.dataset: b for b in server.ledger().blocks()}
    assert held["linked-visits"].spent == held["clinic-records"].spent > 0, "their records are needed, so they pay once"
    (made,) = server.ledger().reservations("linked-visits")
    assert made.approvers == ("custodian", "partner")
    published = server.clinic.settings.public_dir / made.edition / "r1"
    dataset = json.loads((published / "edition.json").read_text())["dataset"]
    assert (dataset["agreement"]["purpose"], dataset["agreement"]["sha256"]) == (
        "Plan buses to the clinics",
        made.agreement,
    )
    register = (server.clinic.settings.public_dir / "register.html").read_text()
    for said in (
        "Visits and homes, version 1",
        "Council Act",
        "removed from every table",
        "the dataset clinic-records",
    ):
        assert said in register


def test_when_one_custodian_refuses_the_other_has_nothing_left_to_decide(server: Server, chromium: Browser) -> None:
    purpose = "To see how one refusal is enough, at https://www.example.org/a or ann@example.org."
    run = server.ask(dag=ASK, **{**LINKED_QUESTION, "purpose": purpose})
    custodian = log_in(chromium, server, "custodian")
    decide(custodian, server, run, 0, "Refuse")
    expect(custodian.get_by_text("To see how one refusal is enough").first).to_be_visible()
    expect(custodian.locator("a[href*='example.org']")).to_have_count(0)
    assert server.finish(ASK, run) == "success"
    partner = log_in(chromium, server, "partner")
    partner.goto(required_action(server, run, dag=ASK, number=1))
    expect(partner.get_by_text("Skipped").first).to_be_visible()
    expect(partner.get_by_role("button", name="Approve")).to_be_disabled()
    states = [state for name, state in server.states(ASK, run).items() if name in ("authorise", "measure")]
    assert set(states) == {"skipped"}
    assert not [c for c in server.ledger().charges("linked-visits") if "refusal" in c.reason]


COUNTY = {
    "id": "county",
    "name": "The county",
    "basis": "Contract 2024/17, section 4",
    "users": ["county"],
    "terms": {"version": 1, "text": "Do not pass these figures on.\nDelete them after a year."},
    "starts": date(2024, 1, 1),
    "ends": date(2198, 12, 31),
}


def test_an_organisation_accepts_its_terms_and_downloads_marked_files_and_sees_nothing_else(
    server: Server, chromium: Browser
) -> None:
    folder = server.clinic.folder
    (folder / "organisations").mkdir()
    (folder / "organisations" / "county.yaml").write_text(yaml.write(COUNTY))
    release = yaml.parse((folder / "releases" / "visits.yaml").read_text())
    for_county = {
        "id": "for-county",
        "title": "Visits for the county",
        "audience": "restricted",
        "organisations": ["county"],
    }
    less = {
        "purpose": "To plan buses.",
        "tables": release["tables"][:1],
        "privacy_loss": {"epsilon": 0.2},
        "schedule": None,
    }
    (folder / "releases" / "for-county.yaml").write_text(yaml.write({**release, **for_county, **less}))
    pipeline.run_edition("for-county/2024-W02", settings=server.clinic.settings)
    page = log_in(chromium, server, "county")
    page.goto(f"{server.url}/plugin/my-files")
    mine = page.frame_locator("iframe").first
    expect(mine.get_by_text("Delete them after a year.").first).to_be_visible()
    expect(mine.get_by_role("link", name="clinic-day.csv", exact=True)).not_to_be_visible()
    picture(page, "terms")
    mine.get_by_role("checkbox").check()
    mine.get_by_role("button", name="Accept and see the files").click()
    with page.expect_download() as download:
        mine.get_by_role("link", name="clinic-day.csv", exact=True).click()
    text = Path(download.value.path()).read_text()
    assert text.splitlines()[1].count("The county, county") == 1
    (given,) = server.ledger().handed_out()
    assert given.download in download.value.suggested_filename
    page.reload()
    expect(mine.get_by_text(given.download)).to_be_visible()
    picture(page, "files")
    page.goto(f"{server.url}/budget/")
    expect(page.get_by_text("Your files are on the page")).to_be_visible()
    client = server.client("county")
    for path in ("/api/v2/dags", "/api/v2/dags/visits/dagRuns", "/api/v2/connections", "/api/v2/eventLogs"):
        assert client.get(path).status_code == 403, path
    for path in ("/budget/editions/for-county/2024-W02/r1/clinic-day.csv", "/budget/requests/"):
        assert client.get(path).status_code == 403, path
    assert server.client("viewer").get("/budget/files/for-county/2024-W02/r1/clinic-day.csv").status_code == 403
    register = (server.clinic.settings.public_dir / "register.html").read_text()
    assert "Restricted to The county (Contract 2024/17, section 4)" in register


def my_requests(page: Page, server: Server) -> FrameLocator:
    page.goto(f"{server.url}/plugin/my-requests")
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_role("heading", name="My requests")).to_be_visible()
    return frame


def test_what_is_asked_is_tried_first_and_a_request_that_waits_is_withdrawn(server: Server, chromium: Browser) -> None:
    analyst = log_in(chromium, server, "analyst")
    form = open_form(analyst, server)
    expect(form.get_by_text("Try it: only say what it costs")).to_be_visible()
    period, purpose = "2024-01-08--2024-01-20", "To plan how many nurses are needed."
    fill_in(analyst, form, period=period, epsilon="25", purpose=purpose)
    form.get_by_text("Try it: only say what it costs").locator(
        "xpath=ancestor::*[.//input[@type='checkbox']][1]"
    ).locator("label").last.click()
    form.get_by_role("button", name="Trigger").click()
    expect(analyst.get_by_text(re.compile("greater than the maximum of 20")).first).to_be_visible()
    picture(analyst, "out-of-bounds", height=1000)
    expect(form.locator("[name=element_epsilon]")).to_have_value("25")  # no number is changed in silence
    form.locator("[name=element_epsilon]").fill("12")
    run = trigger(analyst, form)
    assert server.finish("ask-visits", run) == "success"
    assert "Only tried" in server.client("engineer").get(f"{ADHOC}/{run}").json()["note"]
    page = my_requests(analyst, server)
    expect(page.get_by_role("columnheader", name="You may still spend").first).to_be_visible()
    expect(page.get_by_text("as you asked")).to_be_visible()
    picture(analyst, "tried", height=1250)

    waiting = server.ask(epsilon=0.3)
    server.approval(waiting)
    page = my_requests(analyst, server)
    expect(page.get_by_text("Waits for an answer")).to_be_visible()
    picture(analyst, "my-requests", height=1250)
    analyst.set_viewport_size(NARROW)
    narrow = my_requests(analyst, server)
    expect(narrow.get_by_role("button", name="Withdraw this request")).to_be_visible()
    narrow.get_by_role("button", name="Withdraw this request").click()
    expect(narrow.get_by_text("Withdrawn by you")).to_be_visible()
    assert server.finish("ask-visits", waiting), "Airflow says failed or success, as its scheduler sees it first"
    narrow.get_by_role("link", name="Run", exact=True).first.click()
    analyst.wait_for_url(re.compile("/dags/ask-visits/runs/"))


@pytest.fixture
def deputised(server: Server) -> Iterator[None]:
    """The custodian is away, and has a deputy."""
    today, away = datetime.now(UTC).date(), timedelta(days=1)
    custodian = {"name": "The clinics", "user": "custodian"}
    deputy = {"user": "partner", "first_day": today - away, "last_day": today + away}
    server.clinic.change("datasets/visits.yaml", custodians=[{**custodian, "deputies": [deputy]}])
    yield
    server.clinic.change("datasets/visits.yaml", custodians=[custodian])


@pytest.mark.usefixtures("deputised")
def test_a_deputy_finds_what_waits_on_a_narrow_window_and_who_asked_reads_who_answered_for_whom(
    server: Server, chromium: Browser
) -> None:
    run = server.ask(epsilon=0.17, purpose="To see who answers while she is away.")
    server.approval(run)
    deputy = log_in(chromium, server, "partner")
    deputy.set_viewport_size(NARROW)
    page = to_decide(deputy, server)
    expect(page.get_by_text("You would answer in the place of custodian.")).to_be_visible()
    deputy.goto(f"{server.url}/required_actions?response_received=false")
    deputy.get_by_role("link", name=re.compile("analyst asks for .+ε 0.17")).click()
    expect(deputy.get_by_text(re.compile("partner in the place of custodian"))).to_be_visible()
    click_answer(deputy, "Approve", "She would agree.")
    assert server.finish("ask-visits", run) == "success"
    analyst = log_in(chromium, server, "analyst")
    mine = my_requests(analyst, server)
    expect(mine.get_by_text("Approved by partner in the place of custodian: “She would agree.”")).to_be_visible()
    mine.get_by_role("link", name="Figures and files").first.click()
    expect(mine.get_by_role("heading", level=1, name=re.compile("Visits by clinic"))).to_be_visible()
    made = next(charge for charge in server.ledger().charges("visits") if charge.run == f"ask-visits/{run}")
    (approval,) = server.ledger().approvals(made.plan_hash)
    assert (made.state, approval.approver, approval.instead_of) == ("spent", "partner", "custodian")


PROMISED = re.compile("the card promised that at least .+Nothing was charged")


def test_a_stale_card_and_one_that_nobody_answers_in_time_end_in_words_for_both_sides_and_spend_nothing(
    server: Server, chromium: Browser
) -> None:
    late = server.ask(epsilon=0.18, purpose="To see how long a request waits.")
    run = server.ask(epsilon=0.85, purpose="To see what a card promises.")
    server.approval(late)
    server.let_the_time_pass(late)
    server.approval(run)
    elsewhere = server.ledger().reservation(server.charge_elsewhere(epsilon=1.2))
    before = spent(server)
    assert server.finish("ask-visits", late) == "success"
    custodian = log_in(chromium, server, "custodian")
    custodian.set_viewport_size(NARROW)
    page = to_decide(custodian, server)
    page.get_by_role("checkbox").check()
    page.get_by_label("Reason").fill("They help to plan.")
    page.get_by_role("button", name="Approve those ticked").click()
    expect(page.get_by_role("status")).to_contain_text(PROMISED)
    expect(page.get_by_role("checkbox"), "it waits on, to be refused").to_have_count(1)
    custodian.goto(required_action(server, run))
    click_answer(custodian, "Approve", "They help to plan.")
    assert server.finish("ask-visits", run) == "failed"
    page = to_decide(custodian, server)
    expect(page.get_by_role("heading", name="Did not count")).to_be_visible()
    expect(page.get_by_text(PROMISED)).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    custodian.set_viewport_size(WIDE)
    custodian.goto(f"{server.url}/dags/ask-visits/runs/{run.replace('+', '%2B')}")
    expect(custodian.get_by_text(PROMISED)).to_be_visible()  # the run's note
    analyst = log_in(chromium, server, "analyst")
    analyst.set_viewport_size(NARROW)
    mine = my_requests(analyst, server)
    expect(mine.get_by_text(PROMISED)).to_be_visible()
    said = mine.get_by_text("Ended without an answer of custodian in time. Nothing was spent.")
    said.get_by_role("link", name="Ask again").click()
    analyst.wait_for_url(re.compile("/dags/ask-visits"))
    assert spent(server) == before
    assert elsewhere is not None
    server.ledger().void(elsewhere, "only for a test")


def test_several_requests_are_read_ticked_and_answered_at_once(server: Server, chromium: Browser) -> None:
    runs = []
    for epsilon in (0.31, 0.32, 0.33):  # one after the other, in which order the page shows them
        runs.append(server.ask(epsilon=epsilon))
        server.approval(runs[-1])
    custodian = log_in(chromium, server, "custodian")
    page = to_decide(custodian, server)
    expect(page.get_by_role("checkbox")).to_have_count(3)
    page.get_by_text("The whole card").first.click()
    expect(page.get_by_text("What the public will read about privacy").first).to_be_visible()
    picture(custodian, "to-decide", height=1500)
    custodian.set_viewport_size(NARROW)
    for number in (0, 1):
        page.get_by_role("checkbox").nth(number).check()
    page.get_by_label("Reason").fill("Too many of the same.")
    page.get_by_role("button", name="Refuse those ticked").click()
    expect(page.get_by_text("Refused, as you said.")).to_have_count(2)
    expect(page.get_by_role("checkbox")).to_have_count(1)
    assert [server.finish("ask-visits", run) for run in runs[:2]] == ["success"] * 2
    page.get_by_role("checkbox").check()
    page.get_by_label("Reason").fill("This one as well.")
    page.get_by_role("button", name="Refuse those ticked").click()
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    assert server.finish("ask-visits", runs[2]) == "success"
    analyst = log_in(chromium, server, "analyst")
    mine = my_requests(analyst, server)
    expect(mine.get_by_text("Too many of the same.").first).to_be_visible()
    picture(analyst, "refusal", height=1000)


def test_a_wrong_form_is_explained_in_the_log_of_its_first_task(server: Server, chromium: Browser) -> None:
    analyst = log_in(chromium, server, "analyst")
    analyst.set_viewport_size(NARROW)
    form = open_form(analyst, server)
    fill_in(analyst, form, period="last week", epsilon="1", purpose="To plan how many nurses are needed.")
    run = trigger(analyst, form)
    assert server.finish("ask-visits", run) == "failed"
    analyst.goto(f"{server.url}/dags/ask-visits/runs/{run.replace('+', '%2B')}/tasks/ask")
    expect(analyst.get_by_text(re.compile("'last week' is not a period")).first).to_be_visible()
    mine = my_requests(analyst, server)
    expect(mine.get_by_role("heading", name="Not asked")).to_be_visible()
    expect(mine.get_by_text(re.compile("'last week' is not a period")).first).to_be_visible()


EDITION, NEXT_EDITION = "visits/2024-W02", "visits/2024-W03"
CATCH_UP = tuple(f"scheduled__2024-01-{day}T09:30:00+00:00" for day in (18, 25))
REVISIONS = {
    "method": ("A better estimator", "costs nothing", "Better.", "New method of estimating: Better."),
    "late": ("Late records", "costs nothing", "", "No more late records"),
    "format": ("Names, texts or layout", "costs nothing", "Misspelt.", "Names, texts or layout: Misspelt."),
    "correction": ("The records were wrong", "a new charge of ε = 1", "Sent twice.", "Measured again: Sent twice."),
}
"""Kind → what the form calls it and says of its cost, the reason that is given, and what the public reads."""


def two_editions(server: Server, patch: pytest.MonkeyPatch) -> None:
    """Two weeks of a release that has ended, estimated by an older method; the second has added late rows to the first."""
    first, last = date(2024, 1, 8), date(2024, 1, 21)
    server.clinic.change("releases/visits.yaml", start=first, end=last, late={"periods": 1})
    source = server.clinic.folder / "visits.csv"
    whole = source.read_text()
    original = dp_stats.estimate.estimate

    def two_more(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        tables = {t: {s: replace(e, value=e.value + 2) for s, e in of.items()} for t, of in found.tables.items()}
        return replace(found, tables=tables)

    patch.setattr(dp_stats.estimate, "estimate", two_more)
    patch.setattr(estimator, "VERSION", estimator.VERSION - 1)
    header, *rows = whole.splitlines(keepends=True)
    source.write_text(header + "".join(row for number, row in enumerate(rows) if number % 9))
    pipeline.run_edition(EDITION, settings=server.clinic.settings)
    source.write_text(whole)
    pipeline.run_edition(NEXT_EDITION, settings=server.clinic.settings)


def revise(page: Page, server: Server, kind: str, *, only_say: bool = False) -> str:
    """Start a revision from the release's form, whose run is unpaused with it; returns what the run's note says of it."""
    name, cost, reason, _ = REVISIONS[kind]
    page.goto(f"{server.url}/dags/visits")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog").filter(has_text="Trigger Dag")
    form.locator("[name=element_period]").fill("2024-W02")
    form.locator("[name=element_reason]").fill(reason)
    form.get_by_role("combobox").first.click()
    option = page.get_by_role("option").filter(has_text=name)
    expect(option).to_contain_text(cost)
    option.click()
    expect(form.locator("[name=element_kind]")).to_have_value(kind)
    if only_say:
        form.locator("label[data-part=root]:has([name=element_only_say])").click()
    run = trigger(page, form)
    assert server.finish("visits", run) == "success"
    return str(server.client("engineer").get(f"/api/v2/dags/visits/dagRuns/{run}").json()["note"])


def test_each_kind_of_revision_is_made_from_the_form_and_says_its_cost_first(
    server: Server, chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        two_editions(server, patch)
    engineer = log_in(chromium, server, "engineer")
    reader = chromium.new_page()
    settings = server.clinic.settings
    folder, codes = settings.public_dir / EDITION, server.clinic.folder / "codes" / "clinics.csv"
    charged = spent(server)
    assert "New charge of ρ" in revise(engineer, server, "correction", only_say=True)
    assert [caught_up(server, run) for run in CATCH_UP] == ["success"] * 2  # what is published costs nothing
    assert (spent(server), len(server.ledger().revisions(EDITION))) == (charged, 2)
    pipeline.retract(EDITION, revision=2, reason="Late rows were test rows.", settings=settings)
    for number, (kind, (*_, told)) in enumerate(REVISIONS.items(), start=3):
        if kind == "format":
            codes.write_text(codes.read_text().replace("North", "Northern"))
        before = {file: file.read_bytes() for file in folder.glob("r*/*")}
        said = revise(engineer, server, kind)
        assert ("New charge of ρ" if kind == "correction" else "It costs nothing") in said
        assert (spent(server) > charged) == (kind == "correction")
        assert all(file.read_bytes() == content for file, content in before.items())
        reader.goto(f"file://{folder}/index.html")
        notice = " ".join(reader.locator(".notice").all_inner_texts())
        assert told in notice
        lines = reader.locator("section[aria-labelledby=revisions] tbody tr").all_inner_texts()
        assert len(lines) == number
    assert "Northern" in reader.locator("main").inner_text()
    reader.goto(f"file://{folder}/r3.html")
    assert "superseded" in " ".join(reader.locator(".notice").all_inner_texts())
    server.ledger().verify()
    assert not verify_public(settings.public_dir)


def caught_up(server: Server, run: str, seconds: float = 240) -> str:
    """How a run ended that Airflow starts by itself."""
    engineer, deadline = server.client("engineer"), time.monotonic() + seconds
    while engineer.get(f"/api/v2/dags/visits/dagRuns/{run}").status_code != 200:
        assert time.monotonic() < deadline, f"Airflow has not started {run}"
        time.sleep(0.5)
    return server.finish("visits", run)


def spent(server: Server) -> Fraction:
    """All that the ledger has charged."""
    return sum((block.spent + block.reserved for block in server.ledger().blocks("visits")), start=Fraction(0))
