"""What a file is, told by its bytes: three types, and nothing that is also something else."""

import contextlib
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ServiceError
from service.issuer.evidence_errors import (
    EvidenceActiveError,
    EvidenceAmbiguousError,
    EvidenceTypeError,
    EvidenceUnreadableError,
)
from service.issuer.evidence_pdf import MAX_UNPACKED_BYTES
from service.issuer.evidence_types import JPEG, PDF, PNG, recognize
from tests.evidence_support import add_object, add_stream, make_jpeg, make_pdf, make_png, make_zip, put_into_catalog

WHOLE = {PDF: make_pdf(), PNG: make_png(), JPEG: make_jpeg()}
PACKED_SCRIPT = zlib.compress(b"7 0 8 40 <</S/JavaScript/JS(app.alert\\(1\\))>> <<>>")
PREVIEW = make_jpeg() + b"\0\0\0" + make_jpeg() + b"\0"


@pytest.mark.parametrize(("media_type", "content"), WHOLE.items())
def test_whole_files_are_recognized(media_type: str, content: bytes) -> None:
    assert recognize(content) == media_type


@pytest.mark.parametrize(
    "content",
    [
        PREVIEW,
        make_jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:RDF/></x:xmpmeta>")),
        make_jpeg().replace(b"\xff\xda", b"\xff\xff\xff\xda"),
        make_png((b"tEXt", b"Comment\0a picture")),
        make_pdf() + b"\r\n \n",
        add_stream(b"/Type/ObjStm/N 1/First 4", zlib.compress(b"7 0 <</Type/Page>>")),
        add_stream(b"/Type/ObjStm/N 1/First 4", b"7 0 <</Type/Page>>"),
        add_object(b"<</S/URI/URI(https://example.com)>>"),
        add_object(b"<</S/URI/URI(www.example.com/a?b=javascript:c)>>"),
        add_object(b"<</S/URI/URI<feff006d00610069006c0074006f003a0061>>>"),
        put_into_catalog(b"/OpenAction[3 0 R/XYZ null null 0]"),
        put_into_catalog(b"/OpenAction<</S/GoTo/D[3 0 R/Fit]>>"),
        put_into_catalog(b"/OpenAction [3 0 R/Fit]/URI<</Base(https://example.com)>>"),
        add_object(b"<</Title(The downstream)/First 7 0 R>>"),
        add_stream(b"/Filter/DCTDecode", b"\xff\xd8/JS inside of compressed data\xff\xd9"),
    ],
)
def test_what_cameras_and_printers_write_is_taken(content: bytes) -> None:
    assert recognize(content) in WHOLE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        make_zip(),
        b"GIF89a" + b"\0" * 20,
        b"\n" + WHOLE[PDF],
        b"junk" + WHOLE[PDF],
        b"MZ\x90\0",
        b"\xef\xbb\xbf%PDF-1.4",
    ],
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(EvidenceTypeError):
        recognize(content)


@pytest.mark.parametrize(("media_type", "content"), WHOLE.items())
@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", b"\0\0< HTML >", b"MZ\x90", make_zip()])
def test_files_with_something_behind_them_are_refused(media_type: str, content: bytes, tail: bytes) -> None:
    with pytest.raises(EvidenceAmbiguousError):
        recognize(content + tail)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[PDF].replace(b"\n", b"\n%<script>alert(1)</script>\n", 1),
        WHOLE[PDF].replace(b"\n", b"\n%<!DOCTYPE html>\n", 1),
        make_png((b"tEXt", b"Comment\0<iframe src=x>")),
        make_png((b"tEXt", b"Comment\0<?php system(1)")),
        make_png((b"tEXt", b"Comment\0%PDF-1.7")),
        make_jpeg((0xFE, b"%PDF-1.4 1 0 obj")),
        make_jpeg((0xFE, b"</p><script src=//example.com>")),
        make_pdf().replace(b"%%EOF", make_zip() + b"%%EOF"),
        add_stream(b"/Length 40", b"40 0 obj <</S/Launch>> endobj"),
        add_stream(b"/Length 40", b"x\nobj<</S/Launch>> endobj"),
        add_stream(b"/Length 40", b"xref trailer <</Root<</OpenAction<</S/Launch>>>>>>"),
    ],
)
def test_files_that_are_two_things_are_refused(content: bytes) -> None:
    with pytest.raises(EvidenceAmbiguousError):
        recognize(content)


@pytest.mark.parametrize(
    "content",
    [
        put_into_catalog(b"/OpenAction<</S/JavaScript/JS(app.alert(1))>>"),
        put_into_catalog(b"/OpenAction<</S/Java#53cript/J#53(x)>>"),
        put_into_catalog(b"/Names<</EmbeddedFiles 9 0 R>>"),
        put_into_catalog(b"/AcroForm<</XFA[]>>"),
        add_object(b"<</S/Launch/F(cmd.exe)>>"),
        add_object(b"<</S/SubmitForm/F(https://example.com)>>"),
        add_object(b"<</S/URI/URI(javascript:alert(1))>>"),
        add_object(b"<</S/URI/U#52I(\\152ava\\\ns\\tcript\\072alert(1))>>"),
        add_object(b"<</S/URI/URI<FEFF006A006100760061007300630072006900700074003A>>>"),
        add_object(b"<</S/URI/URI(ms-msdt:/id)>>"),
        add_object(rb"<</S/URI/URI(\\\\files.example\\share)>>"),
        put_into_catalog(b"/URI<</Base(javascript:)>>"),
        put_into_catalog(b"/AA<</O<</S/URI/URI(https://example.com)>>>>"),
        put_into_catalog(b"/OpenAction<</S/URI/URI(https://example.com)>>"),
        put_into_catalog(b"/OpenAction 77 0 R").replace(b"%%", b"77 0 obj<</S/UR#49/U#52I(http:a)>> endobj\n%%"),
        put_into_catalog(b"/OpenAction" + b" " * 70 + b"77 0 R/URI<</Base(http:a)>>"),
        add_object(b"<</S/ImportData>>"),
        add_object(rb"<</S/GoToR/F(\\\\files.example\\share)/D[0/Fit]>>"),
        add_object(b"<</S/GoToE>>"),
        add_object(b"<</Type/Filespec/EF<</F 9 0 R>>>>"),
        add_object(b"<</Subtype/RichMedia>>"),
        add_stream(b"/Type/EmbeddedFile", b"anything"),
        add_stream(b"/Type/ObjStm/Filter/FlateDecode/N 2/First 8", PACKED_SCRIPT),
        add_stream(b"/Filter/FlateDecode", PACKED_SCRIPT),
        add_stream(b"/Type/ObjStm/N 2/First 8", b"7 0 <</S/JavaScript/JS(x)>>"),
    ],
)
def test_pdfs_that_do_something_are_refused(content: bytes) -> None:
    with pytest.raises(EvidenceActiveError):
        recognize(content)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[PDF][:-30],
        b"%PDF-9.9" + WHOLE[PDF][8:],
        WHOLE[PDF].replace(b"endstream", b"endstrea_"),
        WHOLE[PDF].replace(b"/Root", b"/Encrypt 8 0 R /Root"),
        add_object(b"<</S/URI/URI 8 0 R>>"),
        add_object(b"<</S/URI/URI(java" + b"\\\n" * 300 + b"script:alert(1))>>"),
        add_object(b"<</S/URI/URI%x\n(javascript:a)>>"),
        add_object(b"<</Filter/FlateDecode>>%x\nstream  \n" + PACKED_SCRIPT + b"\nendstream"),
        add_object(b"<</Filter/FlateDecode>>" + b" " * 300 + b"stream\n" + PACKED_SCRIPT + b"\nendstream"),
        add_stream(b"/Type/Obj#53tm/Filter/LZWDecode/N 1/First 4", b"\x80\x0b\x60"),
        add_stream(b"/Type 5 0 R/Filter[/ASCIIHexDecode/FlateDecode]/N 1/First 4", b"789c>"),
        add_stream(b"/Type/ObjStm/N 1/First 4/Filter/FlateDecode", PACKED_SCRIPT[:-8]),
        WHOLE[PNG][:-1],
        WHOLE[PNG][:-12],
        WHOLE[PNG].replace(b"IDAT", b"IDAX"),
        b"\x89PNG\r\n\x1a\n" + WHOLE[PNG][33:],
        WHOLE[JPEG][:-2],
        WHOLE[JPEG][:20],
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\0\1\xff\xd9",
        b"\xff\xd8\xff",
        make_jpeg(scan=b"\xff\xd8"),
    ],
)
def test_files_that_cannot_be_looked_into_are_refused(content: bytes) -> None:
    with pytest.raises(EvidenceUnreadableError):
        recognize(content)


def test_a_bomb_is_not_unpacked_further_than_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zlib.compress(b"7 0 " + b" " * (MAX_UNPACKED_BYTES + 1), 9)
    with pytest.raises(EvidenceUnreadableError):
        recognize(add_stream(b"/Type/ObjStm/N 1/First 4", packed))
    monkeypatch.setattr("service.issuer.evidence_pdf.MAX_UNPACKED_BYTES", 100)
    first = b"<</N 1>>stream\n" + b"7 0 ".ljust(100) + b"endstream endobj 98 0 obj "  # leaves no room behind it
    with pytest.raises(EvidenceUnreadableError):
        recognize(add_object(first + b"<</Filter/FlateDecode>>stream\n" + packed + b"\nendstream"))


@pytest.mark.parametrize(
    ("start", "repeated", "end"),
    [
        (b"%PDF-1.4\n", b">>%", b"\n%%EOF"),
        (b"%PDF-1.4\n", b">>stream ", b"%%EOF"),
        (b"%PDF-1.4\n", b"/URI%/OpenAction ", b"\n%%EOF"),
        (b"%PDF-1.4\n", b" \nstream", b"\n%%EOF"),
        (b"%PDF-1.4\n", b"/URI(a)", b"\n%%EOF"),
        (b"", make_jpeg(scan=b""), b""),
    ],
)
def test_the_time_is_in_proportion_to_the_size(start: bytes, repeated: bytes, end: bytes) -> None:
    content = start + repeated * (1_000_000 // len(repeated)) + end
    began = time.process_time()
    with contextlib.suppress(ServiceError):
        recognize(content)
    assert time.process_time() - began < 3  # a square would take minutes


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_a_file_that_was_cut_is_never_taken(media_type: str, data: st.DataObject) -> None:
    content = WHOLE[media_type].rstrip(b"\n")
    kept = data.draw(st.integers(min_value=0, max_value=len(content) - 1))
    with pytest.raises(ServiceError):
        recognize(content[:kept])


@given(st.sampled_from([b"%PDF-1.4", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]), st.binary(max_size=300))
def test_noise_is_refused_and_nothing_else_is_raised(start: bytes, noise: bytes) -> None:
    with pytest.raises(ServiceError):
        recognize(start + noise)
