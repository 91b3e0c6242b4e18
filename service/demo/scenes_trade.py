"""Middle scenes: disclosure, the permit, settlement, revocation, the denial, replay."""

import asyncio
import json
from typing import Any

from service.credentials.credential_types import type_of
from service.demo import cases
from service.demo.holder import Holder
from service.demo.processes import Finished, run_command
from service.demo.stage import Stage
from service.demo.storyteller import Step, merge_checks


def _tell_reasons(step: Step, decision: dict[str, Any]) -> None:
    for reason in decision["reasons"]:
        basis = {"law": "the law", "issuer_policy": "the issuer's policy", "firm_policy": "the firm's own policy"}
        step.details.append(f"{reason['code']}: {reason['message']} [{reason['citation']}; {basis[reason['basis']]}]")
    step.details += [f"obligation {duty['code']}: {duty['message']}" for duty in decision["obligations"]]
    step.picture("decision", decision=decision)


async def present(stage: Stage, holder: Holder, purpose: str) -> None:
    """The platform asks, the wallet discloses what was asked and nothing else, the platform verifies."""
    request = await stage.platform.post(
        "/v1/presentation-requests", {"purpose": purpose, "investor_ref": holder.name}, key=f"ask-{holder.name}"
    )
    with stage.teller.step("investor", f"{holder.name}'s wallet answers the platform's request for {purpose}") as step:
        shown = await holder.ask("present", request["deep_link"], "--yes")
        disclosed = {type_of(entry["vct"]).name: list(entry["claims"]) for entry in shown["credentials"]}
        hidden = {type_of(entry["vct"]).name: entry["hidden"] for entry in shown["credentials"]}
        step.details = [f"{name:<19}shown: {', '.join(names)}" for name, names in disclosed.items()]
        step.details += [f"{name:<19}hidden: {', '.join(names)}" for name, names in hidden.items() if names]
        step.picture("disclosure", shown=disclosed, hidden=hidden, verifier=shown["verifier"])
        private = {"given_name", "family_name", "birthdate"}
        step.expect(private <= set(hidden["kyc"]), "signed answer sent; name and birthdate stayed in the wallet")
    with stage.teller.step("platform", f"Verify what {holder.name} presented") as step:
        verdict = await stage.platform.get(f"/v1/presentation-requests/{request['id']}")
        passed = [check["check"] for check in verdict["checks"] if check["outcome"] == "pass"]
        step.details = [f"passed: {', '.join(sorted(set(passed)))}"]
        step.picture("checks", checks=merge_checks(verdict["checks"]))
        step.expect(verdict["state"] == "verified", f"{verdict['state']}, {len(verdict['credentials'])} credentials")


async def decide(stage: Stage, holder: Holder, regime: str, key: str, **more: Any) -> dict[str, Any]:
    """Ask the gate about a primary purchase."""
    body = cases.purchase(stage.security["id"], stage.security["offerings"][regime], holder.name, **more)
    decision: dict[str, Any] = await stage.platform.post("/v1/transfers", body, key=key)
    return decision


async def permit_and_settle(stage: Stage) -> None:
    """The first trade goes through."""
    with stage.teller.step("platform", "May ada buy 100 units under Rule 506(c)?") as step:
        decision = await decide(stage, stage.kept["ada"], "us.506c", "trade-1")
        _tell_reasons(step, decision)
        step.details.append(f"signed {decision['decision_hash']}")
        step.expect(decision["outcome"] == "permit", f"{decision['outcome'].upper()}: no restriction found")
    stage.kept["first"] = decision
    with stage.teller.step("platform", "Settle the trade") as step:
        settled = await stage.platform.post(
            f"/v1/transfers/{decision['id']}/settle", {"reference": "settlement-1"}, key="settle-1"
        )
        state = settled["reservation"]["state"]
        step.expect(state == "settled", f"reservation {state}, the lot is in the register")


async def revoke_and_deny(stage: Stage) -> None:
    """The accreditation is revoked; the very next decision changes."""
    with stage.teller.step("issuer", "The CPA firm revokes the accreditation") as step:
        offer = await stage.accreditor.get(f"/v1/credential-offers/{stage.kept['accreditation_offer']}")
        credential_id = offer["credentials"][0]["id"]
        changed = await stage.accreditor.post(
            f"/v1/credentials/{credential_id}/status",
            {"status": "revoked", "reason": "The confirmation was withdrawn."},
            key="revoke-1",
        )
        step.expect(changed["status"] == "revoked", "revoked")
    with stage.teller.step("platform", "May ada buy another 100 units?") as step:
        decision = await decide(stage, stage.kept["ada"], "us.506c", "trade-2")
        _tell_reasons(step, decision)
        codes = [reason["code"] for reason in decision["reasons"]]
        step.expect(decision["outcome"] == "deny" and "CRED_REVOKED" in codes, f"{decision['outcome'].upper()}")


async def refuse_by_policy(stage: Stage) -> None:
    """A KYC vendor is outside the safe harbour: our policy refuses, not the law."""
    with stage.teller.step("platform", "May bob buy, accredited by a KYC vendor?") as step:
        decision = await decide(stage, stage.kept["bob"], "us.506c", "trade-3")
        _tell_reasons(step, decision)
        found = [r for r in decision["reasons"] if r["code"] == "US_506C_ATTESTER_NOT_QUALIFIED"]
        as_policy = bool(found) and found[0]["basis"] == "firm_policy"
        step.expect(decision["outcome"] == "deny" and as_policy, "DENY under the safe-harbour-only policy, not the law")


async def permit_offshore(stage: Stage) -> None:
    """A buyer outside the United States, under Regulation S, with a legend on the units."""
    with stage.teller.step("platform", "May chen buy 100 units offshore under Regulation S?") as step:
        asserted = {"buyer": {"offshore": True, "regs_certified": True}}
        decision = await decide(stage, stage.kept["chen"], "us.reg_s", "trade-4", trade=asserted)
        _tell_reasons(step, decision)
        legend = "OBL_LEGEND" in [duty["code"] for duty in decision["obligations"]]
        step.expect(decision["outcome"] == "permit" and legend, "PERMIT with a legend on the units")


async def start_replay(stage: Stage) -> "asyncio.Task[Finished]":
    """Let a process of its own replay the first decision while the story goes on."""
    bundle = await stage.platform.get(f"/v1/transfers/{stage.kept['first']['id']}/bundle")
    file = stage.folder / "bundle.json"
    file.write_text(json.dumps(bundle))
    return asyncio.create_task(run_command("replay", str(file), "--json", settings=stage.settings))


async def end_replay(stage: Stage, replay: "asyncio.Task[Finished]") -> None:
    """Anyone with the bundle comes to the same decision, offline."""
    with stage.teller.step("anyone", "Replay the first decision offline from its bundle") as step:
        finished = await replay
        again = finished.json()
        same = finished.code == 0 and again["decision_hash"] == stage.kept["first"]["decision_hash"]
        step.expect(same, f"same outcome, same reasons, same hash {stage.kept['first']['decision_hash'][:23]}...")
