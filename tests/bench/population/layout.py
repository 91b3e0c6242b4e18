"""The tables that are loaded, and a check that they are still as the loader knows them."""

from sqlmodel import SQLModel

KNOWN = {
    "subject_key": "org_id subject id wrapped_key created_at destroyed_at",
    "investor": "org_id ref frozen kyc_issuer sealed created_at updated_at",
    "investor_version": "org_id ref version document recorded_at",
    "standing_credential": (
        "org_id id investor_ref request_id credential_type vct issuer sealed status_uri issued_at not_before"
        " expires_at presented_at"
    ),
    "standing_version": "org_id standing_id version investor_ref document recorded_at",
    "subject": "org_id subject_ref sub created_at",
    "credential": (
        "org_id id offer_id credential_configuration_id subject_ref status status_reason status_changed_at created_at"
        " expires_at sealed_claims"
    ),
    "credential_copy": (
        "org_id credential_id copy_number status_list_id status_index holder_thumbprint issuer_kid signed_at digest"
    ),
    "status_list": "org_id id bits capacity allocated packed changed_at token token_issued_at",
    "lot": (
        "org_id security_id id offering_id holder_org_id investor_ref quantity reserved acquired_on paid_in_full_on"
        " acquired_from tack_from issued_on hold_only lien_transfer_id lien_org_id lien_holder_ref lien_recourse"
        " source_transfer_id created_at"
    ),
    "holder": (
        "org_id security_id holder_org_id investor_ref quantity accredited owners pending pending_quantity"
        " holder_slots nonaccredited_slots owner_slots"
    ),
    "holder_person": "org_id person holder_org_id investor_ref",
    "audit_entry": "org_id id kind subject_id recorded_at record record_sha256 commitment nonce idx",
    "log_tile": "level idx data",
    "log_checkpoint": "tree_size previous_size root note signed_at published_at",
}
"""Every table that the loader writes, with all of its columns."""

LEFT_OUT = frozenset({"credential_offer", "presentation_request"})
"""What the service also keeps about a person whom it admitted, and no decision reads."""

_NAMES_A_PERSON = frozenset({"investor_ref", "subject_ref", "ref", "buyer_ref", "seller_ref", "taker_ref"})


class LayoutChangedError(RuntimeError):
    """The tables are no longer those that the loader writes; it has to be adapted first."""


def check_layout() -> None:
    """Compare the tables with what the loader knows.

    Raises:
        LayoutChangedError: A column came or went.
    """
    for name, known in KNOWN.items():
        there = {column.name for column in SQLModel.metadata.tables[name].columns}
        if there != set(known.split()):
            raise LayoutChangedError(f"{name}: {sorted(there ^ set(known.split()))} came or went")


def list_personal_columns() -> list[tuple[str, str]]:
    """Return each table with a column that names an investor, and that column; the loaded ones are not among them."""
    return [
        (name, column.name)
        for name, table in SQLModel.metadata.tables.items()
        for column in table.columns
        if column.name in _NAMES_A_PERSON and name not in KNOWN and name not in LEFT_OUT
    ]
