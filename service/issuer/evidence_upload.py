"""From a form to evidence: what the API and the console do alike with a file that comes in or goes out."""

import asyncio
import unicodedata
from typing import Any
from urllib.parse import quote

from service.errors import InvalidInputError
from service.issuer.evidence import MAX_ITEM_CHARACTERS, EvidenceView, NewEvidence, name_download
from service.issuer.evidence_types import recognize
from service.web.uploads import UploadForm

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


async def recognize_evidence(form: UploadForm, *, allowed: frozenset[str] = frozenset()) -> NewEvidence:
    """Read the fields ``file`` and ``item`` of a form, and tell what the file is.

    Args:
        form: As ``read_upload`` returns it.
        allowed: Further fields that the form may have.

    Raises:
        EvidenceTypeError, EvidenceUnreadableError, EvidenceActiveError, EvidenceAmbiguousError: See ``recognize``.
        InvalidInputError: ``item`` is missing, too long, or holds what hides or turns text; or an unknown field.
    """
    if form.fields.keys() - {"item"} - allowed:
        raise InvalidInputError("The form has fields besides file and item.")
    item = form.fields.get("item", "").strip()
    if not 1 <= len(item) <= MAX_ITEM_CHARACTERS or any(unicodedata.category(each) in _HIDDEN for each in item):
        raise InvalidInputError(f"item must be text of 1 to {MAX_ITEM_CHARACTERS} characters.")
    media_type = await asyncio.to_thread(recognize, form.content)  # a moment's work for 10 MiB
    return NewEvidence(item, form.file_name, media_type, form.content)


def describe_evidence(view: EvidenceView) -> dict[str, Any]:
    """Return a file as answers show it."""
    return {
        "id": view.id,
        "case_id": view.case_id,
        "item": view.item,
        "name": view.name,
        "media_type": view.media_type,
        "size": view.size,
        "sha256": view.sha256,
        "added_by": view.added_by,
        "added_at": view.added_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def build_download_headers(file_name: str) -> dict[str, str]:
    """Return headers under which a browser saves a file and never shows it as a page of ours.

    Source: RFC 6266, sections 4 and 5, and appendix D; CSP Level 3, section 6.3.2.
    """
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "_" for each in file_name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def name_evidence(view: EvidenceView) -> dict[str, str]:
    """Return the headers of a download of this file."""
    return build_download_headers(name_download(view))
