"""What a file is, told by its content alone: a whole PDF, PNG or JPEG and nothing else beside it.

The name and the declared type of a file are the sender's words and are not asked.
"""

import re

from service.issuer.evidence_errors import EvidenceAmbiguousError, EvidenceTypeError
from service.issuer.evidence_images import check_jpeg, check_png
from service.issuer.evidence_pdf import check_pdf

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
EXTENSIONS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg"}

_SIGNATURES = ((b"%PDF-", PDF, check_pdf), (b"\x89PNG\r\n\x1a\n", PNG, check_png), (b"\xff\xd8\xff", JPEG, check_jpeg))
# Words that make a browser, or a mail program that guesses, run a file as a page.
_MARKUP = re.compile(rb"<\s*(?:script|html|!doctype\s|iframe|\?php)", re.IGNORECASE)
_ZIP_END, _ZIP_END_BYTES, _ZIP_COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_PDF_HEADER_WITHIN = 1024  # where readers still look for the header of a PDF


def recognize(content: bytes) -> str:
    """Return the media type of a file that is one of the three types and only that.

    Pure; takes time in proportion to the size.

    Raises:
        EvidenceTypeError: None of the three, or empty.
        EvidenceUnreadableError: Truncated, damaged or encrypted.
        EvidenceActiveError: A PDF that does something.
        EvidenceAmbiguousError: Something else too.
    """
    for signature, media_type, check in _SIGNATURES:
        if content.startswith(signature):
            _check_single(content, media_type)
            check(content)
            return media_type
    raise EvidenceTypeError("The file is no PDF, PNG or JPEG, whatever its name says.")


def _check_single(content: bytes, media_type: str) -> None:
    if _MARKUP.search(content):
        raise EvidenceAmbiguousError("The file holds a web page or a script beside the document.")
    if _is_zip(content):
        raise EvidenceAmbiguousError("The file is an archive too.")
    if media_type != PDF and b"%PDF-" in content[:_PDF_HEADER_WITHIN]:
        raise EvidenceAmbiguousError("The picture is a PDF too.")


def _is_zip(content: bytes) -> bool:
    """Tell whether an archive ends where the file does. Source: APPNOTE.TXT 6.3.10, section 4.3.16."""
    start = len(content) - _ZIP_END_BYTES - _ZIP_COMMENT_BYTES
    found = content.find(_ZIP_END, max(0, start))
    while found >= 0:
        comment_bytes = int.from_bytes(content[found + 20 : found + 22], "little")
        if found + _ZIP_END_BYTES + comment_bytes <= len(content):
            return True
        found = content.find(_ZIP_END, found + 1)
    return False
