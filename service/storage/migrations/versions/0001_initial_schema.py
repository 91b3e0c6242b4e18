"""Initial schema.

Revision: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op

from service.storage import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("record_sha256", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index(op.f("ix_audit_entry_subject_id"), "audit_entry", ["subject_id"], unique=False)
    op.create_table(
        "cached_document",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("issued_at", types.Instant(), nullable=True),
        sa.Column("fetched_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "url"),
    )
    op.create_table(
        "credential",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("credential_configuration_id", sa.String(), nullable=False),
        sa.Column("subject_ref", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("status_changed_at", types.Instant(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.CheckConstraint("status IN ('valid','suspended','revoked')", name="ck_credential_status"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("org_id", "offer_id", name="uq_credential_offer"),
    )
    op.create_index("ix_credential_subject", "credential", ["org_id", "subject_ref"], unique=False)
    op.create_table(
        "credential_copy",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("copy_number", sa.Integer(), nullable=False),
        sa.Column("status_list_id", sa.String(), nullable=False),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("holder_thumbprint", sa.String(), nullable=False),
        sa.Column("issuer_kid", sa.String(), nullable=False),
        sa.Column("signed_at", types.Instant(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "credential_id", "copy_number"),
        sa.UniqueConstraint("org_id", "status_list_id", "status_index", name="uq_credential_copy_status"),
    )
    op.create_index("ix_credential_copy_digest", "credential_copy", ["digest"], unique=False)
    op.create_table(
        "credential_offer",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("credential_configuration_id", sa.String(), nullable=False),
        sa.Column("subject_ref", sa.String(), nullable=False),
        sa.Column("sealed_claims", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_code", sa.LargeBinary(), nullable=False),
        sa.Column("code_sha256", sa.String(), nullable=False),
        sa.Column("code_redeemed_at", types.Instant(), nullable=True),
        sa.Column("tx_code_digest", sa.String(), nullable=True),
        sa.Column("tx_code_attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("credential_expires_on", sa.Date(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('pending','redeemed','cancelled')", name="ck_credential_offer_state"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("code_sha256"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "idempotency_record",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_record_created_at"), "idempotency_record", ["created_at"], unique=False)
    op.create_table(
        "investor",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("screening", types.JsonColumn, nullable=True),
        sa.Column("kyc_issuer", sa.String(), nullable=True),
        sa.Column("kyc_sub", sa.String(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "ref"),
    )
    op.create_table(
        "issuance_notification",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("notification_id", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("event_description", sa.String(), nullable=True),
        sa.Column("received_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "notification_id"),
    )
    op.create_table(
        "issuance_token",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("token_sha256", sa.String(), nullable=False),
        sa.Column("offer_id", sa.String(), nullable=False),
        sa.Column("credential_identifier", sa.String(), nullable=True),
        sa.Column("client_id", sa.String(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "token_sha256"),
    )
    op.create_table(
        "lot",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("offering_id", sa.String(), nullable=False),
        sa.Column("holder_org_id", sa.String(), nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=False),
        sa.Column("quantity", types.Quantity(), nullable=False),
        sa.Column("reserved", types.Quantity(), nullable=False),
        sa.Column("acquired_on", sa.Date(), nullable=False),
        sa.Column("paid_in_full_on", sa.Date(), nullable=True),
        sa.Column("acquired_from", sa.String(), nullable=False),
        sa.Column("tack_from", sa.Date(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("hold_only", sa.Boolean(), nullable=False),
        sa.Column("source_transfer_id", sa.String(), nullable=True),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.CheckConstraint("reserved <= quantity", name="ck_lot_reserved"),
        sa.PrimaryKeyConstraint("org_id", "security_id", "id"),
    )
    op.create_index("ix_lot_holder", "lot", ["org_id", "security_id", "holder_org_id", "investor_ref"], unique=False)
    op.create_table(
        "offering",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "id"),
    )
    op.create_table(
        "offering_version",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("offering_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", types.JsonColumn, nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "offering_id", "version"),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("roles", types.JsonColumn, nullable=False),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("attester_class", sa.String(), nullable=True),
        sa.Column("attester_register_id", sa.String(), nullable=True),
        sa.Column("is_transfer_agent", sa.Boolean(), nullable=False),
        sa.Column("trust_version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("did"),
        sa.UniqueConstraint("slug"),
    )
    op.create_table(
        "presentation_request",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("dcql_query", types.JsonColumn, nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=True),
        sa.Column("response_mode", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("wallet_state", sa.String(), nullable=False),
        sa.Column("request_object", sa.String(), nullable=False),
        sa.Column("transaction_data", types.JsonColumn, nullable=True),
        sa.Column("redirect_uri", sa.String(), nullable=True),
        sa.Column("response_code", sa.String(), nullable=True),
        sa.Column("sealed_decryption_key", sa.LargeBinary(), nullable=True),
        sa.Column("credentials", types.JsonColumn, nullable=False),
        sa.Column("checks", types.JsonColumn, nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("answered_at", types.Instant(), nullable=True),
        sa.CheckConstraint("state IN ('pending','verified','rejected')", name="ck_presentation_request_state"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("id"),
    )
    op.create_table(
        "reservation",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("registrar_org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("holder_slots", sa.Integer(), nullable=False),
        sa.Column("new_quantity", types.Quantity(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "transfer_id"),
    )
    op.create_index(
        "ix_reservation_held",
        "reservation",
        ["registrar_org_id", "security_id", "expires_at"],
        unique=False,
        sqlite_where=sa.text("held"),
        postgresql_where=sa.text("held"),
    )
    op.create_table(
        "reservation_ending",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("ended_at", types.Instant(), nullable=False),
        sa.CheckConstraint("state IN ('settled','void','expired')", name="ck_reservation_ending_state"),
        sa.PrimaryKeyConstraint("org_id", "transfer_id"),
    )
    op.create_table(
        "reserved_lot",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("lot_id", sa.String(), nullable=False),
        sa.Column("quantity", types.Quantity(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "transfer_id", "lot_id"),
    )
    op.create_table(
        "security",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("issued", types.Quantity(), nullable=False),
        sa.Column("outstanding", types.Quantity(), nullable=False),
        sa.Column("outstanding_reserved", types.Quantity(), nullable=False),
        sa.Column("holders", sa.Integer(), nullable=False),
        sa.Column("holders_reserved", sa.Integer(), nullable=False),
        sa.Column("decided_at", types.Instant(), nullable=True),
        sa.CheckConstraint("holders >= 0 AND holders_reserved >= 0", name="ck_security_counters"),
        sa.CheckConstraint("outstanding <= issued AND outstanding_reserved <= issued", name="ck_security_outstanding"),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "security_grant",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("venue_org_id", sa.String(), nullable=False),
        sa.Column("document", types.JsonColumn, nullable=False),
        sa.Column("withdrawn_at", types.Instant(), nullable=True),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "venue_org_id"),
    )
    op.create_index(op.f("ix_security_grant_venue_org_id"), "security_grant", ["venue_org_id"], unique=False)
    op.create_table(
        "security_version",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", types.JsonColumn, nullable=False),
        sa.Column("recorded_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "security_id", "version"),
    )
    op.create_table(
        "signing_key",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("alg", sa.String(), nullable=False),
        sa.Column("public_jwk", types.JsonColumn, nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("retired_at", types.Instant(), nullable=True),
        sa.Column("published_until", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "kid"),
    )
    op.create_table(
        "spent_nonce",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("nonce_sha256", sa.String(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "nonce_sha256"),
    )
    op.create_index(op.f("ix_spent_nonce_expires_at"), "spent_nonce", ["expires_at"], unique=False)
    op.create_table(
        "standing_credential",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("investor_ref", sa.String(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("credential_type", sa.String(), nullable=False),
        sa.Column("vct", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("holder_thumbprint", sa.String(), nullable=False),
        sa.Column("claims", types.JsonColumn, nullable=False),
        sa.Column("status_uri", sa.String(), nullable=True),
        sa.Column("status_index", sa.Integer(), nullable=True),
        sa.Column("issued_at", types.Instant(), nullable=True),
        sa.Column("not_before", types.Instant(), nullable=True),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("presented_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_index("ix_standing_investor", "standing_credential", ["org_id", "investor_ref"], unique=False)
    op.create_index("ix_standing_status", "standing_credential", ["status_uri", "status_index"], unique=False)
    op.create_table(
        "status_list",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("allocated", sa.Integer(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", types.Instant(), nullable=False),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("token_issued_at", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "subject",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("subject_ref", sa.String(), nullable=False),
        sa.Column("sub", sa.String(), nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "subject_ref"),
    )
    op.create_table(
        "transfer",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("registrar_org_id", sa.String(), nullable=False),
        sa.Column("security_id", sa.String(), nullable=False),
        sa.Column("offering_id", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("seller_ref", sa.String(), nullable=True),
        sa.Column("buyer_ref", sa.String(), nullable=True),
        sa.Column("quantity", types.Quantity(), nullable=False),
        sa.Column("trade_date", sa.Date(), nullable=False),
        sa.Column("seller_affiliate", sa.Boolean(), nullable=True),
        sa.Column("request", types.JsonColumn, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("decided_at", types.Instant(), nullable=False),
        sa.Column("expires_at", types.Instant(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("decision_hash", sa.String(), nullable=False),
        sa.Column("decision_jws", sa.String(), nullable=False),
        sa.Column("outward_payload", sa.String(), nullable=True),
        sa.Column("outward_hash", sa.String(), nullable=True),
        sa.Column("outward_jws", sa.String(), nullable=True),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.CheckConstraint("outcome IN ('permit','deny','review')", name="ck_transfer_outcome"),
        sa.PrimaryKeyConstraint("org_id", "id"),
        sa.UniqueConstraint("org_id", "idempotency_key", name="uq_transfer_idempotency"),
    )
    op.create_index(op.f("ix_transfer_id"), "transfer", ["id"], unique=False)
    op.create_index(
        "ix_transfer_seller",
        "transfer",
        ["registrar_org_id", "security_id", "org_id", "seller_ref", "trade_date"],
        unique=False,
    )
    op.create_table(
        "trusted_issuer",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("credential_types", types.JsonColumn, nullable=False),
        sa.Column("jurisdictions", types.JsonColumn, nullable=False),
        sa.Column("attester_class", sa.String(), nullable=True),
        sa.Column("attester_register_id", sa.String(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("trust_version", sa.Integer(), nullable=False),
        sa.Column("updated_at", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id"),
    )
    op.create_table(
        "api_client",
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("scopes", types.JsonColumn, nullable=False),
        sa.Column("created_at", types.Instant(), nullable=False),
        sa.Column("revoked_at", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id"],
            ["organization.id"],
        ),
        sa.PrimaryKeyConstraint("org_id", "client_id"),
        sa.UniqueConstraint("client_id"),
    )


def downgrade() -> None:
    op.drop_table("api_client")
    op.drop_table("trusted_issuer")
    op.drop_index("ix_transfer_seller", table_name="transfer")
    op.drop_index(op.f("ix_transfer_id"), table_name="transfer")
    op.drop_table("transfer")
    op.drop_table("subject")
    op.drop_table("status_list")
    op.drop_index("ix_standing_status", table_name="standing_credential")
    op.drop_index("ix_standing_investor", table_name="standing_credential")
    op.drop_table("standing_credential")
    op.drop_index(op.f("ix_spent_nonce_expires_at"), table_name="spent_nonce")
    op.drop_table("spent_nonce")
    op.drop_table("signing_key")
    op.drop_table("security_version")
    op.drop_index(op.f("ix_security_grant_venue_org_id"), table_name="security_grant")
    op.drop_table("security_grant")
    op.drop_table("security")
    op.drop_table("reserved_lot")
    op.drop_table("reservation_ending")
    op.drop_index(
        "ix_reservation_held", table_name="reservation", sqlite_where=sa.text("held"), postgresql_where=sa.text("held")
    )
    op.drop_table("reservation")
    op.drop_table("presentation_request")
    op.drop_table("organization")
    op.drop_table("offering_version")
    op.drop_table("offering")
    op.drop_index("ix_lot_holder", table_name="lot")
    op.drop_table("lot")
    op.drop_table("issuance_token")
    op.drop_table("issuance_notification")
    op.drop_table("investor")
    op.drop_index(op.f("ix_idempotency_record_created_at"), table_name="idempotency_record")
    op.drop_table("idempotency_record")
    op.drop_table("credential_offer")
    op.drop_index("ix_credential_copy_digest", table_name="credential_copy")
    op.drop_table("credential_copy")
    op.drop_index("ix_credential_subject", table_name="credential")
    op.drop_table("credential")
    op.drop_table("cached_document")
    op.drop_index(op.f("ix_audit_entry_subject_id"), table_name="audit_entry")
    op.drop_table("audit_entry")
