"""Reason and obligation codes: their order and what they say to a reader.

The order is a promise: class first (identity and sanctions, credentials, mechanics, caps, regime), then the place here.

Source: rules.yaml, reason_codes; FACTS.md, "Order of reasons".
"""

from collections.abc import Mapping
from types import MappingProxyType

IDENTITY: Mapping[str, str] = {
    "COUNTERPARTY_UNIDENTIFIED": "The party is not identified.",
    "KYC_MISSING": "No KYC credential of the party is known.",
    "KYC_EXPIRED": "The KYC credential of the party has expired.",
    "KYC_LOA_TOO_LOW": "The party's identity was verified at too low a level of assurance.",
    "BO_INCOMPLETE": "A beneficial owner of the party is not identified.",
    "SANCTIONS_HIT": "The party is on a sanctions list.",
    "SANCTIONS_50PCT": "Blocked persons own half of the party or more.",
    "SANCTIONS_POTENTIAL_MATCH": "A potential sanctions match of the party is unresolved.",
    "SANCTIONS_OWNERSHIP_REVIEW": "Blocked persons own a part of the party; control needs a review.",
    "AML_SCREEN_STALE": "The party's last sanctions screening is too old.",
    "PEP_EDD_REQUIRED": "The party is politically exposed and enhanced due diligence is not done.",
}
CREDENTIAL: Mapping[str, str] = {
    "CRED_REVOKED": "A credential of the party was revoked.",
    "CRED_SUSPENDED": "A credential of the party is suspended.",
    "CRED_EXPIRED": "A credential of the party has expired.",
    "CRED_NOT_YET_VALID": "A credential of the party is not valid yet.",
    "CRED_ISSUER_UNTRUSTED": "The issuer of a credential of the party is not trusted.",
    "CRED_ISSUER_OUT_OF_SCOPE": "The issuer is not trusted for this kind of claim or this jurisdiction.",
    "CRED_HOLDER_MISMATCH": "A credential belongs to another holder.",
    "CRED_STATUS_UNAVAILABLE": "The status of a credential of the party could not be read.",
}
MECHANICS: Mapping[str, str] = {
    "VENUE_NOT_LICENSED": "The venue has no grant for this action.",
    "HALTED": "Transfers of the security are halted.",
    "SENDER_FROZEN": "The sender is frozen.",
    "RECIPIENT_FROZEN": "The recipient is frozen.",
    "STATE_STALE": "State that the decision needs is out of date.",
    "RULE_FAILED": "A rule could not be evaluated.",
    "INPUT_MISSING": "A fact that a rule needs is missing.",
    "RULE_UNCONFIRMED": "No primary text confirms this rule; counsel decides.",
    "INSUFFICIENT_BALANCE": "The seller does not hold enough free units.",
    "LOCKUP_CONTRACT": "A contractual lock-up is running.",
    "PLEDGE_NO_LIQUIDATION_ROUTE": "No lawful way to liquidate the pledge is shown.",
    "FORCED_DOC_MISSING": "The document that orders this transfer is missing.",
    "FORCED_DUAL_CONTROL": "Two distinct approvals are needed.",
    "RECOVERY_SUBJECT_MISMATCH": "The recovering party is not the same subject.",
    "JURISDICTION_BLOCKED": "The security is not open to the buyer's country.",
    "OFFERING_CLOSED": "The offering is closed.",
    "MIN_DENOMINATION": "The quantity is below the minimum.",
}
CAPS: Mapping[str, str] = {
    "US_3C1_LIMIT": "The fund's limit of beneficial owners would be exceeded.",
    "US_3C7_NOT_QP": "The buyer is not a qualified purchaser.",
    "US_12G_2000": "The issuer's cap on holders of record would be exceeded.",
    "US_12G_500_NONACC": "The issuer's cap on non-accredited holders of record would be exceeded.",
}
REGIME: Mapping[str, str] = {
    "US_NOT_ACCREDITED": "The buyer is not an accredited investor.",
    "US_506C_VERIFICATION_STALE": "The verification of accredited status is too old.",
    "US_506C_ATTESTER_NOT_QUALIFIED": "The attester is outside the verification safe harbour.",
    "US_506C_ISSUER_SCOPE": "The earlier verification was made by another issuer.",
    "US_506C_CONTRARY_KNOWLEDGE": "Information against the accredited status is known.",
    "US_506C_REP_MISSING": "A written representation of the buyer is missing.",
    "US_506C_EVIDENCE_INCOMPLETE": "The evidence for the verification method is incomplete.",
    "US_506C_MIN_INVESTMENT": "The investment is below the minimum of this verification method.",
    "US_506C_THIRD_PARTY_FINANCED": "A third party finances the minimum investment.",
    "US_506B_35_LIMIT": "The limit of 35 non-accredited purchasers is reached.",
    "US_506B_NOT_SOPHISTICATED": "The non-accredited buyer is not sophisticated.",
    "US_506B_GENERAL_SOLICITATION": "The offering used general solicitation.",
    "US_506D_BAD_ACTOR": "A disqualifying event bars the offering.",
    "US_CF_INVESTOR_LIMIT": "The investor's crowdfunding limit would be exceeded.",
    "US_CF_OFFERING_CAP": "The issuer's crowdfunding limit would be exceeded.",
    "US_CF_RESALE_1Y": "Crowdfunded securities are in their first year.",
    "US_REGA_10PCT_LIMIT": "The purchase exceeds ten per cent of income or net worth.",
    "US_REGA_OFFERING_CAP": "The Regulation A limit would be exceeded.",
    "US_BLUE_SKY": "The sale is not cleared in the buyer's state.",
    "US_RESALE_NO_EXEMPTION": "No resale exemption is open to this transfer.",
    "US_144_VOLUME": "The affiliate's three-month volume limit would be exceeded.",
    "US_REGS_US_PERSON": "The buyer is a US person.",
    "US_REGS_NOT_OFFSHORE": "The transaction is not an offshore transaction.",
    "US_REGS_CERT_MISSING": "The buyer has not certified to be a non-US person.",
    "US_REGS_DCP": "The distribution compliance period is running.",
    "HK_NOT_PI": "The buyer is not a professional investor.",
    "HK_PI_EVIDENCE_STALE": "The evidence of professional investor status is too old.",
    "HK_SUITABILITY_MISSING": "The suitability assessment is missing.",
    "SG_AI_NOT_OPTED_IN": "The accredited investor has not opted in at this institution.",
    "SG_276_6M": "The first six months restrict this resale.",
    "SG_50_OFFEREES": "The limit of 50 offerees is reached.",
    "MY_NOT_SOPHISTICATED": "The buyer is not a sophisticated investor.",
    "LBN_250K_OR_50": "The first investment is below the minimum and 50 persons are reached.",
    "EU_150_PERSONS": "The limit of persons in the Member State is reached.",
    "EU_SMALL_OFFER_CAP": "The small-offer limit is reached.",
    "EU_ECSPR_CONSENT_MISSING": "Explicit consent above the threshold is missing.",
    "EU_ECSPR_TEST_STALE": "The entry knowledge test is too old.",
    "EU_ECSPR_SOPH_EXPIRED": "The approval as sophisticated investor has expired.",
    "UK_STATEMENT_EXPIRED": "The investor statement is older than twelve months.",
    "UK_150_PERSONS": "The limit of persons in the United Kingdom is reached.",
    "UK_SMALL_OFFER_CAP": "The small-offer limit is reached.",
}
OBLIGATIONS: Mapping[str, str] = {
    "OBL_LEGEND": "Keep the restrictive legend on the lot.",
    "OBL_FORM_144": "The seller files Form 144 with the order.",
    "OBL_MANNER_OF_SALE": "Sell in a manner that Rule 144(f) allows.",
    "OBL_HOLD_ONLY": "The recipient may hold the lot, not acquire more.",
    "OBL_LIEN_RECORDED": "Record the lien on the lot.",
    "OBL_ECSPR_REFLECTION_4D": "Allow four calendar days of reflection.",
    "OBL_BLOCK_AND_REPORT_IF_US_NEXUS": "Block the property and report it where there is a US nexus.",
}

MESSAGES: Mapping[str, str] = MappingProxyType({**IDENTITY, **CREDENTIAL, **MECHANICS, **CAPS, **REGIME})
RANKS: Mapping[str, int] = MappingProxyType({code: rank for rank, code in enumerate(MESSAGES)})

_SELLER = "INSUFFICIENT_BALANCE LOCKUP_CONTRACT US_CF_RESALE_1Y US_RESALE_NO_EXEMPTION US_144_VOLUME"
_BUYER = """
    JURISDICTION_BLOCKED RECOVERY_SUBJECT_MISMATCH US_NOT_ACCREDITED US_506B_NOT_SOPHISTICATED US_CF_INVESTOR_LIMIT
    US_REGA_10PCT_LIMIT US_BLUE_SKY US_REGS_US_PERSON US_REGS_DCP US_REGS_NOT_OFFSHORE US_REGS_CERT_MISSING
    US_3C7_NOT_QP HK_NOT_PI HK_PI_EVIDENCE_STALE HK_SUITABILITY_MISSING SG_AI_NOT_OPTED_IN SG_276_6M
    MY_NOT_SOPHISTICATED EU_ECSPR_CONSENT_MISSING EU_ECSPR_TEST_STALE EU_ECSPR_SOPH_EXPIRED UK_STATEMENT_EXPIRED
"""
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(_SELLER.split(), "seller"),
        **dict.fromkeys(_BUYER.split(), "buyer"),
        **{code: "buyer" for code in MESSAGES if code.startswith("US_506C_")},
    }
)
"""The party that a check of the whole transfer is about, where it is about one."""
