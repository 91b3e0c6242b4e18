"""What the calls about legal holds of investors and of persons share: one transaction each."""

from typing import Any

from service.privacy.holds import Subject, lift_hold, place_hold, read_hold
from service.privacy.models import HoldBody
from service.web.auth import Caller
from service.web.context import Context


async def answer_placing(
    context: Context, caller: Caller, subject: Subject, body: HoldBody
) -> tuple[dict[str, Any], bool]:
    """Place a hold or change its grounds; returns its wire form and whether it is new."""
    async with context.database.transaction() as session:
        return await place_hold(
            session, context.signer, subject, caller, context.clock(), reason=body.reason, reference=body.reference
        )


async def answer_reading(context: Context, subject: Subject) -> dict[str, Any]:
    """Return the hold that stands."""
    async with context.database.reading() as session:
        return await read_hold(session, context.signer, subject)


async def answer_lifting(context: Context, caller: Caller, subject: Subject) -> None:
    """End a hold."""
    async with context.database.transaction() as session:
        await lift_hold(session, subject, caller, context.clock())
