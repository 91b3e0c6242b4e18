"""Who is a U.S. person under Regulation S. Here ``qualifies`` says yes; the kyc claim ``us_person`` carries it.

Source: 17 CFR 230.902(k).
"""

from collections.abc import Callable, Mapping
from datetime import date

from service.rules.facts import Facts, all_hold, any_holds
from service.rules.schema import one_of, read_flag
from service.rules.worksheet import InvestorTest, Worksheet


def _is_resident(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Resident in the United States", facts.flag("resident_in_us"))


def _is_us_entity(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: sheet.state("Organised in the United States", facts.flag("organised_in_us")),
        lambda: _is_vehicle(facts, sheet),
    )


def _is_vehicle(facts: Facts, sheet: Worksheet) -> bool:
    """Tell whether a U.S. person formed it abroad for unregistered securities, unless accredited entities own it."""
    return all_hold(
        lambda: sheet.state(
            "Formed by a U.S. person to invest in unregistered securities", facts.flag("formed_by_us_person_to_invest")
        ),
        lambda: (
            not sheet.state(
                "Organised and owned by accredited investors that are no natural persons, estates or trusts",
                facts.flag("owned_by_accredited_entities"),
            )
        ),
    )


def _is_us_estate(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("An executor or administrator is a U.S. person", facts.flag("us_fiduciary")),
        lambda: (
            not all_hold(
                lambda: _is_shared_with_foreigner(facts, sheet),
                lambda: sheet.state("Foreign law governs the estate", facts.flag("foreign_law")),
            )
        ),
    )


def _is_us_trust(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("A trustee is a U.S. person", facts.flag("us_fiduciary")),
        lambda: (
            not all_hold(
                lambda: _is_shared_with_foreigner(facts, sheet),
                lambda: (
                    not sheet.state(
                        "A beneficiary, or a settlor who may revoke, is a U.S. person", facts.flag("us_beneficiary")
                    )
                ),
            )
        ),
    )


def _is_shared_with_foreigner(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state(
        "The U.S. fiduciary is a professional and another, no U.S. person, has or shares the investment discretion",
        facts.flag("foreign_fiduciary_decides"),
    )


def _is_in_us(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Located in the United States", facts.flag("located_in_us"))


def _is_us_branch_abroad(facts: Facts, sheet: Worksheet) -> bool:
    return any_holds(
        lambda: _is_in_us(facts, sheet),
        lambda: (
            not sheet.state(
                "Abroad for valid business reasons, in insurance or banking, regulated there",
                facts.flag("regulated_abroad"),
            )
        ),
    )


def _is_held_for_us_person(facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Held for a U.S. person", facts.flag("us_beneficiary"))


def _is_us_discretion(facts: Facts, sheet: Worksheet) -> bool:
    return all_hold(
        lambda: sheet.state("Held by a fiduciary of the United States", facts.flag("us_fiduciary")),
        lambda: (
            not sheet.state(
                "A dealer or professional fiduciary holds it for one that is no U.S. person",
                facts.flag("professional_for_foreigner"),
            )
        ),
    )


def _is_never(_facts: Facts, sheet: Worksheet) -> bool:
    return sheet.state("Named among those that are not", holds=False)


_KINDS: Mapping[str, Callable[[Facts, Worksheet], bool]] = {
    "branch_of_foreign_entity": _is_in_us,
    "branch_of_us_person": _is_us_branch_abroad,
    "discretionary_account": _is_us_discretion,
    "entity": _is_us_entity,
    "estate": _is_us_estate,
    "foreign_employee_plan": _is_never,
    "international_organization": _is_never,
    "natural": _is_resident,
    "non_discretionary_account": _is_held_for_us_person,
    "trust": _is_us_trust,
}


def _judge_us_person(facts: Facts, sheet: Worksheet) -> bool:
    return _KINDS[facts.text("person")](facts, sheet)


_FLAGS = (
    *("foreign_fiduciary_decides", "foreign_law", "formed_by_us_person_to_invest", "located_in_us", "organised_in_us"),
    *("owned_by_accredited_entities", "professional_for_foreigner", "regulated_abroad", "resident_in_us"),
    *("us_beneficiary", "us_fiduciary"),
)

TESTS = (
    InvestorTest(
        id="us.person.reg_s",
        title="U.S. person under Regulation S",
        citation="17 CFR 230.902(k)",
        source="secondary",
        confidence="H",
        category=None,
        currency=None,
        figures={"person": one_of(*_KINDS), **dict.fromkeys(_FLAGS, read_flag)},
        judge=_judge_us_person,
        evidence=("proof of address", "tax residency", "attestation of the location, at each order"),
        parameters={"persons": ", ".join(_KINDS)},
        effective_from=date(1990, 5, 2),
    ),
)
