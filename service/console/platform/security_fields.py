"""Which fields the forms of securities, offerings and opening positions have."""

from service.console.platform.fields import CHOICE, DAY, FLAG, MAYBE, NUMBER, WORDS, Field, Group
from service.rules import REGIMES

STATES = ("open", "halted", "closed")
ORIGINS = ("issuer", "affiliate", "nonaffiliate", "gift", "estate", "pledge_recourse", "pledge_nonrecourse")

SECURITY_GROUPS = (
    Group(
        "identity",
        (
            Field("name", required=True),
            Field("issuer", required=True, hint=True),
            Field("currency", required=True, hint=True),
            Field("unit_decimals", NUMBER, hint=True, empty=0),
            Field("issued_quantity", required=True, hint=True),
            Field("state", CHOICE, STATES, worded=True),
            Field("voting", FLAG),
            Field("terms_sha256", hint=True),
        ),
    ),
    Group(
        "caps",
        (
            Field("caps.holders", NUMBER, hint=True),
            Field("caps.nonaccredited_holders", NUMBER),
            Field("caps.beneficial_owners", NUMBER),
        ),
    ),
    Group(
        "limits",
        (
            Field("min_quantity", empty="1"),
            Field("countries_allowed", WORDS, coded=True, hint=True),
            Field("countries_blocked", WORDS, coded=True, empty=[]),
            Field("settle_within", NUMBER, hint=True, empty=60),
        ),
    ),
    Group(
        "policy",
        (
            Field("policy.max_screen_age_hours", NUMBER, empty=24),
            Field("policy.safe_harbour_only", FLAG, hint=True),
            Field("policy.freshness", CHOICE, ("min_3_months_90_days", "rule_text_months"), worded=True),
            Field("policy.elapsed_boundary", CHOICE, ("anniversary_permits", "day_after"), worded=True),
            Field("policy.allow_exempt_flowback", FLAG),
            Field("policy.max_state_age_hours", NUMBER, hint=True),
        ),
    ),
)
OFFERING_GROUPS = (
    Group(
        "identity",
        (
            Field("regime", CHOICE, ("", *REGIMES), coded=True, required=True, hint=True),
            Field("state", CHOICE, STATES, worded=True),
            Field("issuer", hint=True),
            Field("security", CHOICE, ("", "equity", "debt"), worded=True),
            Field("min_quantity", empty="1"),
            Field("lockup_until", DAY),
            Field("lien_allowed", FLAG),
            Field("converts_to", WORDS, hint=True, empty=[]),
        ),
    ),
    Group(
        "regime",
        (
            Field("category", NUMBER, hint=True),
            Field("issuer_domestic", MAYBE),
            Field("reporting", MAYBE),
            Field("dcp_start", DAY, hint=True),
            Field("class_outstanding_since", DAY),
            Field("current_public_info", MAYBE),
            Field("shell", FLAG),
            Field("bad_actor", FLAG),
            Field("general_solicitation", MAYBE),
            Field("fungible_with_listed", MAYBE),
            Field("exchange_act_12g", FLAG),
            Field("conditional_12g_exempt", MAYBE),
            Field("ica", CHOICE, ("", "3c1", "3c1_qvcf", "3c7")),
            Field("blue_sky_ok_states", WORDS, hint=True),
        ),
    ),
    Group(
        "figures",
        (
            Field("total_assets"),
            Field("outstanding"),
            Field("awtv", hint=True),
            Field("ms_threshold", hint=True),
        ),
    ),
    Group(
        "limits",
        (
            Field("countries_allowed", WORDS, coded=True, hint=True),
            Field("countries_blocked", WORDS, coded=True, empty=[]),
        ),
    ),
)
LOT_FIELDS = (
    Field("investor_ref", required=True, hint=True),
    Field("offering_id", CHOICE, required=True),
    Field("quantity", required=True),
    Field("acquired_on", DAY, required=True),
    Field("from", CHOICE, ORIGINS, worded=True, hint=True),
    Field("tack_from", DAY, hint=True),
    Field("paid_in_full_on", DAY),
    Field("country", hint=True),
    Field("consideration", hint=True),
    Field("accredited", FLAG),
)
