"""The two ways to judge a past trade: by its own columns, or with what a platform's register and standings hold."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from service.cli.shadow_comparison import Answer
from service.cli.shadow_trades import Trade, TradeFileError, day_of, nest_facts
from service.errors import InvalidInputError, NotFoundError
from service.gate.fact_sheet import encode_facts
from service.gate.previews import preview_transfer
from service.gate.transfer_models import TransferPreview
from service.gate.verdict import describe_reason
from service.rules.engine import evaluate_transfer
from service.rules.law import Law
from service.rules.scenario_defaults import fill_defaults
from service.web.context import Context

NEEDED_OFFLINE = ("trade_date", "action", "regime", "quantity", "outcome")
NEEDED_BY_PLATFORM = ("trade_date", "action", "security", "quantity", "price", "currency", "outcome")


def judge_offline(trades: Sequence[Trade], *, law: Law, with_defaults: bool) -> Iterator[tuple[Trade, Answer]]:
    """Evaluate trades as of their dates, from nothing but their columns.

    Args:
        with_defaults: Assume what scenario files assume where a fact is absent.
    """
    for trade in trades:
        facts = gather_facts(trade)
        evaluation = evaluate_transfer(fill_defaults(facts) if with_defaults else facts, law)
        reasons = [describe_reason(reason) for reason in evaluation.reasons]
        yield trade, Answer(evaluation.outcome, trade.told["regime"], evaluation.route, reasons)


def gather_facts(trade: Trade) -> dict[str, Any]:
    """Return what a row says, under the scenario format's names."""
    told = trade.told
    parties = {f"{role}.id": told[role] for role in ("seller", "buyer") if role in told}
    facts = nest_facts({**parties, **trade.facts, "offering.regime": told["regime"]})
    facts |= {"date": told["trade_date"], "action": told["action"], "qty": told["quantity"]}
    return facts | ({"price": told["price"]} if "price" in told else {})


async def judge_by_platform(
    trades: Sequence[Trade], *, context: Context, org_id: str, rules_version: str | None
) -> AsyncIterator[tuple[Trade, Answer]]:
    """Preview trades as of their dates at a platform; what a row's fact columns say takes precedence.

    Nothing is recorded or reserved. Credentials and screenings that the platform holds today count by their own dates;
    lots and counters are today's.

    Raises:
        TradeFileError: A row names what the platform does not know, or contradicts itself.
    """
    for trade in trades:
        try:
            preview = TransferPreview.model_validate(_build_preview(trade, rules_version))
            answer = await preview_transfer(context, org_id, preview, sees_all=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise TradeFileError(f"row {trade.row}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        except (InvalidInputError, NotFoundError) as error:
            raise TradeFileError(f"row {trade.row}: {_explain(error)}") from None
        yield trade, Answer(answer["outcome"], trade.told.get("regime"), answer.get("route"), answer["reasons"])


def _build_preview(trade: Trade, rules_version: str | None) -> dict[str, Any]:
    told, day = trade.told, day_of(trade).isoformat()
    return {
        "security_id": told["security"],
        "offering_id": told.get("offering"),
        "action": told["action"],
        **{role: {"investor_ref": told[role]} for role in ("seller", "buyer") if role in told},
        "quantity": str(told["quantity"]),
        "price": {"amount": str(told["price"]), "currency": told["currency"]},
        "trade_date": day,
        "as_of": day,
        "rules_version": rules_version,
        "facts": encode_facts(trade.facts),
    }


def _explain(error: InvalidInputError | NotFoundError) -> str:
    places = [f"{each['path'].removeprefix('/body/')} {each['detail']}" for each in getattr(error, "errors", ()) or ()]
    return "; ".join(places) or error.detail
