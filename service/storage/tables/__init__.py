"""Every table, led by ``org_id``. Importing this package fills ``SQLModel.metadata``."""

from service.storage.tables.audit import AuditEntry
from service.storage.tables.cases import ReviewCase
from service.storage.tables.gate import (
    DailySales,
    Grant,
    HolderCount,
    Lot,
    Offeree,
    Offering,
    OfferingVersion,
    Purchase,
    Reservation,
    ReservationEnding,
    ReservedLot,
    Security,
    SecurityVersion,
    Transfer,
)
from service.storage.tables.history import (
    InvestorVersion,
    StandingVersion,
    StatusChange,
    StatusListContent,
    StatusListCopy,
    TrustedIssuerVersion,
)
from service.storage.tables.issuing import (
    Credential,
    CredentialCopy,
    CredentialOffer,
    IssuanceNotification,
    IssuanceToken,
    SpentNonce,
    StatusList,
    Subject,
)
from service.storage.tables.log import LogCheckpoint, LogTile
from service.storage.tables.organizations import ApiClient, IdempotencyRecord, Organization, SigningKey
from service.storage.tables.subjects import LegalHold, SubjectKey
from service.storage.tables.verifying import (
    CachedDocument,
    Investor,
    PresentationRequest,
    StandingCredential,
    TrustedIssuer,
)

__all__ = [
    "ApiClient",
    "AuditEntry",
    "CachedDocument",
    "Credential",
    "CredentialCopy",
    "CredentialOffer",
    "DailySales",
    "Grant",
    "HolderCount",
    "IdempotencyRecord",
    "Investor",
    "InvestorVersion",
    "IssuanceNotification",
    "IssuanceToken",
    "LegalHold",
    "LogCheckpoint",
    "LogTile",
    "Lot",
    "Offeree",
    "Offering",
    "OfferingVersion",
    "Organization",
    "PresentationRequest",
    "Purchase",
    "Reservation",
    "ReservationEnding",
    "ReservedLot",
    "ReviewCase",
    "Security",
    "SecurityVersion",
    "SigningKey",
    "SpentNonce",
    "StandingCredential",
    "StandingVersion",
    "StatusChange",
    "StatusList",
    "StatusListContent",
    "StatusListCopy",
    "Subject",
    "SubjectKey",
    "Transfer",
    "TrustedIssuer",
    "TrustedIssuerVersion",
]
