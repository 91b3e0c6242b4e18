"""Bodies of the register's endpoints."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from service.gate.values import (
    Action,
    CivilDate,
    ClientId,
    Countries,
    Country,
    Currency,
    DecimalText,
    LotOrigin,
    Moment,
    Name,
    QuantityText,
    Sha256,
    State,
    check_unique,
)
from service.web.models import StrictModel

Cap = Annotated[int, Field(ge=1, le=10**9)]
MAX_SETTLE_WITHIN_S = 7 * 24 * 3600
DEFAULT_SETTLE_WITHIN_S = 60


class Caps(StrictModel):
    """The issuer's own limits, on top of the law. A limit that we cannot keep is refused, not ignored."""

    holders: Cap | None = None
    nonaccredited_holders: Cap | None = None
    beneficial_owners: Cap | None = None


class Policy(StrictModel):
    """How strictly the rules are read where the law leaves a choice."""

    max_screen_age_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24
    safe_harbour_only: bool = True
    freshness: Literal["min_3_months_90_days", "rule_text_months"] = "min_3_months_90_days"
    elapsed_boundary: Literal["anniversary_permits", "day_after"] = "anniversary_permits"
    allow_exempt_flowback: bool = False
    max_state_age_hours: Annotated[int, Field(ge=1, le=24 * 366)] | None = None


class Token(StrictModel):
    """Where the security lives on a chain."""

    chain: Name
    address: Name
    standard: Name | None = None


class SecurityTerms(StrictModel):
    """A security, as its registrar keeps it. Quantities are whole numbers of the smallest unit.

    ``register_as_of`` is when this register was last compared with the official one that it mirrors.
    """

    name: Name
    issuer: Name
    currency: Currency
    unit_decimals: Annotated[int, Field(ge=0, le=18)] = 0
    issued_quantity: QuantityText
    state: Literal["open", "halted", "closed"] = "open"
    caps: Caps = Caps()
    voting: bool = True
    min_quantity: QuantityText = "1"
    countries_allowed: Countries | None = None
    countries_blocked: Countries = Field(default_factory=list)
    settle_within: Annotated[int, Field(ge=1, le=MAX_SETTLE_WITHIN_S)] = DEFAULT_SETTLE_WITHIN_S
    terms_sha256: Sha256 | None = None
    tokens: Annotated[list[Token], Field(max_length=50)] = Field(default_factory=list)
    identifiers: dict[ClientId, Name] = Field(default_factory=dict)
    register_as_of: Moment | None = None
    policy: Policy = Policy()


class OfferingTerms(StrictModel):
    """The exemption or registration under which lots are sold; the scenario format's ``offering`` fields.

    ``converts_to`` names the offerings whose lots may replace lots of this one.
    """

    regime: str
    state: Literal["open", "halted", "closed"] = "open"
    issuer: Name | None = None
    security: Literal["equity", "debt"] | None = None
    category: Annotated[int, Field(ge=1, le=3)] | None = None
    issuer_domestic: bool | None = None
    reporting: bool | None = None
    dcp_start: CivilDate | None = None
    class_outstanding_since: CivilDate | None = None
    current_public_info: bool | None = None
    shell: bool = False
    bad_actor: bool = False
    general_solicitation: bool | None = None
    fungible_with_listed: bool | None = None
    exchange_act_12g: bool = False
    conditional_12g_exempt: bool | None = None
    ica: Literal["3c1", "3c1_qvcf", "3c7"] | None = None
    total_assets: DecimalText | None = None
    outstanding: QuantityText | None = None
    awtv: DecimalText | None = None
    ms_threshold: DecimalText | None = None
    blue_sky_ok_states: Annotated[list[State], Field(max_length=100)] | None = None
    lockup_until: CivilDate | None = None
    lien_allowed: bool = True
    converts_to: Annotated[list[ClientId], Field(max_length=20), AfterValidator(check_unique)] = Field(
        default_factory=list
    )
    min_quantity: QuantityText = "1"
    countries_allowed: Countries | None = None
    countries_blocked: Countries = Field(default_factory=list)


class GrantTerms(StrictModel):
    """What a venue may do on a registrar's security. An absent list does not restrict."""

    actions: Annotated[list[Action], Field(min_length=1)] | None = None
    licences: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    countries: Annotated[list[Country], Field(min_length=1)] | None = None
    valid_until: CivilDate | None = None


class OpeningLot(StrictModel):
    """A lot that was held before the register came here.

    Where the holding period of the person before continues (``nonaffiliate``, ``gift``, ``estate``,
    ``pledge_recourse``) and ``tack_from`` is not known, rules that need it say so: ``INPUT_MISSING``.

    Attributes:
        accredited: The holder was known as accredited when they acquired; else they count as non-accredited.
        beneficial_owners: What a fund that is looked through counts as.
        country: Residence of the holder; an offeree of no known country counts in every one.
        qualified: The holder is one whom the regime's count of offerees leaves out.
        consideration: What was paid for the whole lot, in the security's currency. Where a limit over twelve months
            looks back at a lot from the issuer, it cannot be checked without it.
    """

    investor_ref: ClientId
    offering_id: ClientId
    quantity: QuantityText
    acquired_on: CivilDate
    from_: LotOrigin = Field(alias="from")
    tack_from: CivilDate | None = None
    paid_in_full_on: CivilDate | None = None
    issued_on: CivilDate | None = None
    accredited: bool = False
    beneficial_owners: Annotated[int, Field(ge=1, le=10**6)] = 1
    country: Country | None = None
    qualified: bool = False
    consideration: DecimalText | None = None

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        if self.tack_from is not None and self.tack_from > self.acquired_on:
            raise ValueError("tack_from must not be after acquired_on")
        return self


class OffereeEntry(StrictModel):
    """An offer that was made. Without ``qualified``, the investor's standing says whether the regime counts it."""

    investor_ref: ClientId
    country: Country
    qualified: bool | None = None


class OpeningPositions(StrictModel):
    """Opening balances."""

    lots: Annotated[list[OpeningLot], Field(min_length=1, max_length=1000)]


def dump_terms(terms: StrictModel) -> dict[str, Any]:
    """Return the stored and published form: every member, defaults included."""
    return terms.model_dump(mode="json")


class HolderLinkTerms(StrictModel):
    """Who an investor of a venue is: a holder, by the organisation and the ref that the register knows."""

    org_id: ClientId
    investor_ref: ClientId
