"""Bodies of /v1 requests to the verifier."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from service.credentials.certificates import MAX_ANCHORS
from service.web.instants import read_instant
from service.web.models import StrictModel

ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MAX_COMPACT = 262_144
MAX_ATTESTATION = 16_384
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _read_date(value: Any) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("must be a civil date, YYYY-MM-DD")


def _read_instant(value: Any) -> Any:
    try:
        return read_instant(value) if isinstance(value, str) else value
    except OverflowError:
        raise ValueError("must be an instant that UTC can write") from None


CivilDate = Annotated[date, BeforeValidator(_read_date)]
Instant = Annotated[AwareDatetime, BeforeValidator(_read_instant)]


class PresentationRequestBody(StrictModel):
    """What to ask a wallet for: a purpose, or a query of one's own."""

    purpose: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    dcql_query: dict[str, Any] | None = None
    formats: Annotated[
        list[Literal["dc+sd-jwt", "jwt_vc_json", "ldp_vc"]],
        Field(
            min_length=1,
            max_length=3,
            default_factory=lambda: ["dc+sd-jwt"],
            description="Of a purpose: the formats that will do, preferred first.",
        ),
    ]
    investor_ref: ClientId | None = None
    response_mode: Annotated[str, Field(max_length=32)] = "direct_post"
    client_id_prefix: Annotated[
        str | None,
        Field(
            max_length=64,
            description="decentralized_identifier if left out; over the Digital Credentials API, an unsigned request.",
        ),
    ] = None
    request_uri_method: Annotated[str, Field(max_length=8)] = "get"
    redirect_uri: Annotated[str | None, Field(max_length=2048)] = None
    same_device: Annotated[bool, Field(description="The answer counts only once its browser came back.")] = False
    expected_origins: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=300)]] | None, Field(min_length=1, max_length=10)
    ] = None
    transaction_data: Annotated[list[dict[str, Any]] | None, Field(min_length=1, max_length=10)] = None

    @model_validator(mode="after")
    def _check_choice(self) -> "PresentationRequestBody":
        if (self.purpose is None) == (self.dcql_query is None):
            raise ValueError("exactly one of purpose and dcql_query is needed")
        if len(set(self.formats)) != len(self.formats) or (self.purpose is None and "formats" in self.model_fields_set):
            raise ValueError("formats belongs to a purpose, and names each format once")
        return self


class DcApiResponseBody(StrictModel):
    """What a page got from the Digital Credentials API, with the origin that the page was served from."""

    origin: Annotated[str, Field(min_length=1, max_length=300)]
    data: Annotated[dict[str, Any], Field(description="`data` of the DigitalCredential.")]


class ReturnBody(StrictModel):
    """What the browser came back with."""

    response_code: Annotated[str, Field(min_length=1, max_length=256)]


class VerifierAttestationBody(StrictModel):
    """A verifier attestation JWT about the key that signs the platform's requests."""

    attestation: Annotated[str, Field(min_length=1, max_length=MAX_ATTESTATION)]


class ExpectedBody(StrictModel):
    """What a presentation must be bound to."""

    nonce: Annotated[str, Field(min_length=1, max_length=1024)]
    audience: Annotated[str, Field(min_length=1, max_length=2048)]


class VerificationBody(StrictModel):
    """A bare credential, or a presentation with what it must be bound to; objects are linked data or envelopes."""

    credential: Annotated[str, Field(max_length=MAX_COMPACT)] | dict[str, Any] | None = None
    presentation: Annotated[str, Field(max_length=MAX_COMPACT)] | dict[str, Any] | None = None
    expected: ExpectedBody | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> "VerificationBody":
        if (self.credential is None) == (self.presentation is None):
            raise ValueError("exactly one of credential and presentation is needed")
        if (self.presentation is None) != (self.expected is None):
            raise ValueError("expected belongs to a presentation, and a presentation needs it")
        return self


class BatchBody(StrictModel):
    """Up to 500 verifications; each is checked on its own, so that one bad item spoils no other."""

    verifications: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=500)]


Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]
ListVersion = Annotated[str, Field(min_length=1, max_length=100)]


class TrustedIssuerBody(StrictModel):
    """An entry of the list of trusted issuers; empty ``jurisdictions`` do not restrict.

    ``jurisdictions`` bind ``country`` of kyc, ``jurisdiction`` of qualified-investor and the beginning of ``regime`` of
    investment-limit; a credential that does not show it is not covered. An aml-screening has none to show, and is.

    ``x509_anchors`` are PEM certificates of CAs: the issuer's keys then come from ``x5c`` chains below them, only.
    ``max_status_age``: seconds since a status list of the issuer was signed, after which it says nothing.
    """

    issuer: Annotated[str, Field(min_length=1, max_length=2048)]
    credential_types: Annotated[list[str], Field(min_length=1, max_length=50)]
    jurisdictions: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]], Field(default_factory=list, max_length=250)
    ]
    attester_class: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    attester_register_id: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    valid_from: CivilDate | None = None
    valid_until: CivilDate | None = None
    x509_anchors: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=16_384)]] | None, Field(min_length=1, max_length=MAX_ANCHORS)
    ] = None
    max_status_age: Annotated[int | None, Field(strict=True, ge=60, le=86_400)] = None


class ScreeningBody(StrictModel):
    """The platform's own screening of an investor against sanctions lists."""

    result: Literal["clear", "potential", "hit"]
    screened_at: Instant
    lists: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]], Field(default_factory=list, max_length=100)
    ]


class InvestorBody(StrictModel):
    """What a platform says of an investor; what is not sent stays as it is."""

    screening: ScreeningBody | None = None
    frozen: bool = False
