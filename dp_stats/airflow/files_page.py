"""*My files*: the page of an organisation that gets restricted figures: its terms, its editions, its downloads."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dp_stats import handing_out, written
from dp_stats.airflow.web import NAMED, kind_of, page, require_own_page, size_of
from dp_stats.catalogue.models import Organisation
from dp_stats.editions import formats
from dp_stats.errors import AgreementError, LedgerError, PublishedError
from dp_stats.ledger import Ledger
from dp_stats.settings import Settings, load_settings

MOST_SHOWN = 50
"""Downloads on the page, the newest."""

router = APIRouter(prefix="/files")


@router.get("/")
def my_files(user: GetUserDep) -> Any:
    """What this user's organisation may download, once its terms are accepted."""
    settings = load_settings()
    organisation = _organisation(user, settings)
    now = handing_out.standing(organisation, settings)
    open_ = now.accepted is not None and not now.ended
    found = handing_out.editions_for(organisation, settings) if open_ else {}
    newest: dict[str, int] = {}
    for one in found.values():
        newest[one.edition.id] = max(newest.get(one.edition.id, 0), one.edition.revision.number)
    return page(
        "files.html",
        organisation=organisation,
        standing=now,
        accepted_on=written.moment(now.accepted.at) if now.accepted else "",
        ends=written.day(organisation.ends),
        user=user.get_name(),
        editions=[_shown(one, newest[one.edition.id]) for one in reversed(found.values())],
        downloads=_downloads(organisation, settings),
    )


@router.post("/accept")
def accept(user: GetUserDep, request: Request, terms: Annotated[str, Form()]) -> RedirectResponse:
    """Accept the terms that were shown, for the user's organisation."""
    require_own_page(request)
    settings = load_settings()
    organisation = _organisation(user, settings)
    try:
        handing_out.accept(organisation, user=user.get_name(), terms=terms, settings=settings)
    except AgreementError as error:
        raise HTTPException(409, str(error)) from None
    except LedgerError as error:
        raise HTTPException(503, str(error)) from None
    return RedirectResponse("./", status_code=303)


@router.get("/{release}/{period}/{revision}/{file}")
def file_of(release: str, period: str, revision: str, file: str, user: GetUserDep) -> Response:
    """One file, marked with for whom it is; the ledger knows of it before it is sent."""
    settings = load_settings()
    organisation = _organisation(user, settings)
    try:
        given = handing_out.hand_out(
            organisation, f"{release}/{period}/{revision}", file, user=user.get_name(), settings=settings
        )
    except PublishedError:
        raise HTTPException(404, "There is no such file for your organisation.") from None
    except AgreementError as error:
        raise HTTPException(403, str(error)) from None
    except LedgerError as error:
        raise HTTPException(503, str(error)) from None
    name = f"{release}_{period}_{given.record.download}_{file}"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(given.content, media_type="application/octet-stream", headers=headers)


def _organisation(user: Any, settings: Settings) -> Organisation:
    found = handing_out.organisation_of(user.get_name(), settings)
    if found is None:
        raise HTTPException(403, "This page is for people of organisations that get figures under a contract.")
    return found


def _shown(one: handing_out.ForSome, newest: int) -> dict[str, Any]:
    edition, sizes = one.edition, {name: (one.folder / name).stat().st_size for name in one.files}
    titles = {file.path: table.title for table in edition.tables for file in table.files}
    return {
        "path": edition.path,
        "title": edition.release.title,
        "period": edition.period.text,
        "revision": edition.revision.number,
        "superseded_by": newest if newest > edition.revision.number else 0,
        "summary": edition.release.summary,
        "files": [
            {
                "name": name,
                "what": titles.get(name) or kind_of(name),
                "size": size_of(sizes[name]),
            }
            for name in sorted(one.files, key=lambda name: (name not in titles, *_of_use(name), name))
        ],
    }


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


def _of_use(name: str) -> tuple[bool, bool, bool]:
    """Puts what people open before what programs read, and the checksums last."""
    return name == formats.CHECKSUMS, name in NAMED, _ending(name) == ".json"


def _downloads(organisation: Organisation, settings: Settings) -> list[dict[str, str]]:
    try:
        found = Ledger.open(settings.ledger_url, read_only=True).handed_out(organisation=organisation.id)
    except LedgerError:
        return []
    return [
        {
            "when": written.moment(one.at),
            "who": one.user,
            "what": f"{one.edition}/r{one.revision}/{one.file}",
            "id": one.download,
        }
        for one in reversed(found[-MOST_SHOWN:])
    ]
