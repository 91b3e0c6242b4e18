"""Evidence files of a case: sealed for the person, opened for whoever reviews, and gone when the person is erased."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.jose import write_json
from service.errors import NotFoundError
from service.issuer.case_records import audit_case, load_case, load_undecided
from service.issuer.evidence_errors import EvidenceLimitError
from service.issuer.evidence_types import EXTENSIONS
from service.issuer.information import end_waiting
from service.issuer.subjects import open_person_key
from service.keys import Signer
from service.storage.ids import new_id
from service.storage.subject_keys import DataKey
from service.storage.tables import CaseEvidence, CaseEvidenceContent, ReviewCase

MAX_FILES = 20
MAX_ITEM_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class NewEvidence:
    """A file whose content was recognized.

    Attributes:
        item: What it is for, best in the words of the checklist.
        name: As ``clean_file_name`` returns it.
        media_type: As ``recognize`` returns it.
    """

    item: str
    name: str
    media_type: str
    content: bytes

    def describe(self) -> dict[str, str]:
        """Return JSON values that two requests share exactly if they bring the same."""
        return {"item": self.item, "name": self.name, "sha256": hashlib.sha256(self.content).hexdigest()}


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What the back office sees of a file; ``sha256`` is lower-case hex of the file as it was sent."""

    id: str
    case_id: str
    subject_ref: str
    item: str
    name: str
    media_type: str
    size: int
    sha256: str
    added_by: str
    added_at: datetime


async def add_evidence(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str, new: NewEvidence, *, client_id: str, now: datetime
) -> tuple[EvidenceView, bool]:
    """Add a file to a case that nobody has decided; the same file for the same item is kept once.

    Returns:
        The file, and whether it is new.

    Raises:
        NotFoundError, CaseClosedError: See ``load_undecided``.
        EvidenceLimitError: The case has ``MAX_FILES`` already.
    """
    case = await load_undecided(session, org_id, case_id)
    key = await open_person_key(await session.connection(), signer, org_id, case.subject_ref)
    rows = await _list_rows(session, org_id, case_id)
    sha256 = hashlib.sha256(new.content).hexdigest()
    kept = [_view(row, case, key) for row in rows if row.sha256 == sha256]
    same = next((view for view in kept if view.item == new.item), None)
    if same is not None:
        return same, False
    if len(rows) >= MAX_FILES:
        raise EvidenceLimitError(f"A case has at most {MAX_FILES} files.")
    row = _add_rows(session, case, key, new, sha256=sha256, client_id=client_id, now=now)
    record = {"evidence_id": row.id, "media_type": row.media_type, "sha256": sha256, "size": row.size}
    audit_case(session, case, "case.evidence_added", client_id, now, record)
    await end_waiting(session, case, now)
    return _view(row, case, key), True


async def list_evidence(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str
) -> tuple[str, Sequence[EvidenceView]]:
    """Return the case's person and its files, oldest first.

    Raises:
        NotFoundError: No such case, or another organisation's.
    """
    case = await load_case(session, org_id, case_id)
    key = await open_person_key(await session.connection(), signer, org_id, case.subject_ref)
    return case.subject_ref, [_view(row, case, key) for row in await _list_rows(session, org_id, case_id)]


async def open_evidence(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str, evidence_id: str
) -> tuple[EvidenceView, bytes]:
    """Return a file with its content. The caller records the access before it answers.

    Raises:
        NotFoundError: No such file in this case, or another organisation's.
    """
    case = await load_case(session, org_id, case_id)
    row = await session.get(CaseEvidence, (org_id, evidence_id))
    content = await session.get(CaseEvidenceContent, (org_id, evidence_id))
    if row is None or content is None or row.case_id != case_id:
        raise NotFoundError
    key = await open_person_key(await session.connection(), signer, org_id, case.subject_ref)
    return _view(row, case, key), key.unseal(content.sealed, context=_context("content", row))


async def list_evidence_digests(session: AsyncSession, org_id: str, case_id: str) -> Sequence[str]:
    """Return the SHA-256 of every file of a case, sorted, each once."""
    return sorted({row.sha256 for row in await _list_rows(session, org_id, case_id)})


def name_download(view: EvidenceView) -> str:
    """Return a name under which the file may be saved: its ending is that of what it is."""
    extension = EXTENSIONS[view.media_type]
    endings = (extension, ".jpeg") if extension == ".jpg" else (extension,)
    return view.name if view.name.lower().endswith(endings) else view.name + extension


async def _list_rows(session: AsyncSession, org_id: str, case_id: str) -> Sequence[CaseEvidence]:
    query = select(CaseEvidence).where(CaseEvidence.org_id == org_id, CaseEvidence.case_id == case_id)
    return (await session.exec(query.order_by(col(CaseEvidence.id)))).all()


def _add_rows(
    session: AsyncSession,
    case: ReviewCase,
    key: DataKey,
    new: NewEvidence,
    *,
    sha256: str,
    client_id: str,
    now: datetime,
) -> CaseEvidence:
    row = CaseEvidence(
        org_id=case.org_id,
        id=new_id("evd"),
        case_id=case.id,
        media_type=new.media_type,
        size=len(new.content),
        sha256=sha256,
        sealed_description=b"",
        added_by=client_id,
        added_at=now,
    )
    described = write_json({"item": new.item, "name": new.name})
    row.sealed_description = key.seal(described, context=_context("description", row))
    sealed = key.seal(new.content, context=_context("content", row))
    session.add(row)
    session.add(CaseEvidenceContent(org_id=row.org_id, evidence_id=row.id, sealed=sealed))
    return row


def _view(row: CaseEvidence, case: ReviewCase, key: DataKey) -> EvidenceView:
    described = json.loads(key.unseal(row.sealed_description, context=_context("description", row)))
    return EvidenceView(
        id=row.id,
        case_id=row.case_id,
        subject_ref=case.subject_ref,
        item=described["item"],
        name=described["name"],
        media_type=row.media_type,
        size=row.size,
        sha256=row.sha256,
        added_by=row.added_by,
        added_at=row.added_at,
    )


def _context(part: str, row: CaseEvidence) -> str:
    """Bind a seal to its file and case, so that it opens nowhere else."""
    return f"case-evidence-{part} {row.org_id} {row.case_id} {row.id}"
