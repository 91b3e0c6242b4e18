"""First scenes: the organisations, and an investor who receives three credentials."""

import asyncio
from typing import Any

from service.demo import cases
from service.demo.client import OrganizationClient
from service.demo.holder import Holder
from service.demo.qr import print_qr, qr_svg
from service.demo.stage import NEW_YORK, Stage


async def introduce_parties(stage: Stage) -> None:
    """Show who takes part."""
    with stage.teller.step("operator", "Three organisations") as step:
        members = stage.seed["organizations"]
        step.details = [f"{name:<11}{member['did']}" for name, member in members.items()]
        step.picture("parties", members=members)
        step.expect(len(members) == 3, "a KYC provider, a CPA firm, a platform; each with its own keys and DID")


async def _offer(
    client: OrganizationClient, configuration: str, claims: dict[str, Any], holder: Holder, *, tx_code: bool = False
) -> Any:
    body = {
        "credential_configuration_id": configuration,
        "claims": claims,
        "subject_ref": f"case-{holder.name}",
        "tx_code": tx_code,
    }
    return await client.post("/v1/credential-offers", body, key=f"offer-{configuration}-{holder.name}")


async def _accept(stage: Stage, holder: Holder, title: str, *offers: Any) -> list[Any]:
    with stage.teller.step("investor", f"{holder.name}'s wallet accepts {title}") as step:
        cards: list[Any] = (await holder.accept(*offers))["credentials"]
        step.picture("cards", cards=cards)
        each = "credential" if len(offers) == 1 else "each credential"
        step.expect(len(cards) == len(offers), f"key proven, {each} verified and kept encrypted")
    return cards


async def grant_three_credentials(stage: Stage) -> None:
    """KYC with a transaction code, screening, accreditation; each offered, accepted and kept."""
    ada, today = stage.holder("ada"), stage.now.astimezone(NEW_YORK).date()
    with stage.teller.step("issuer", "The KYC provider offers an identity credential") as step:
        offer = await _offer(stage.kyc, "kyc", cases.identity_of_us_person(today), ada, tx_code=True)
        step.details = [offer["deep_link"], f"transaction code, told to the investor separately: {offer['tx_code']}"]
        step.picture("offer", qr=qr_svg(offer["deep_link"]), link=offer["web_link"])
        step.expect(offer["tx_code"].isdigit(), "offer made; QR below")
    print_qr(stage.teller.console, offer["deep_link"])
    stage.kept["identity"] = (await _accept(stage, ada, "KYC: I am me", offer))[0]["id"]
    screening = await _offer(stage.kyc, "aml-screening", cases.screening(stage.now), ada)
    granted = await _offer(stage.accreditor, "qualified-investor", cases.accreditation(today), ada)
    stage.kept["accreditation_offer"] = granted["id"]
    both = "AML screening: on no list; qualified investor: accredited, confirmed by a CPA"
    await _accept(stage, ada, both, screening, granted)
    stage.kept["ada"] = ada


async def _grant_to_bob(stage: Stage, bob: Holder) -> None:
    today = stage.now.astimezone(NEW_YORK).date()
    await bob.accept(
        await _offer(stage.kyc, "kyc", cases.identity_of_us_person(today), bob),
        await _offer(stage.kyc, "aml-screening", cases.screening(stage.now), bob),
        await _offer(stage.kyc, "qualified-investor", cases.accreditation(today), bob),
    )


async def _grant_to_chen(stage: Stage, chen: Holder) -> None:
    today = stage.now.astimezone(NEW_YORK).date()
    await chen.accept(
        await _offer(stage.kyc, "kyc", cases.identity_of_hong_kong_person(today), chen),
        await _offer(stage.kyc, "aml-screening", cases.screening(stage.now), chen),
    )


async def grant_to_others(stage: Stage) -> None:
    """Two more investors, at the same time: one accredited by a KYC vendor only, one who lives in Hong Kong."""
    bob, chen = stage.holder("bob"), stage.holder("chen")
    with stage.teller.step("issuer", "Two more investors receive credentials") as step:
        await asyncio.gather(_grant_to_bob(stage, bob), _grant_to_chen(stage, chen))
        step.expect(True, "bob is accredited by the KYC vendor itself; chen lives in Hong Kong")
    stage.kept |= {"bob": bob, "chen": chen}
