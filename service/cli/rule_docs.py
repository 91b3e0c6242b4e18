"""docs/rules.md: the rules as an officer or a regulator reads them, written from the rules themselves."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from service.cli.markdown import to_row, to_table
from service.cli.rule_book import ALL_LAW, list_all
from service.cli.rule_scenarios import Counts, count_scenarios
from service.cli.rule_words import ROUTES, list_codes, list_routes
from service.rules.catalog import ALWAYS_RULES, LIMITS, REGIMES, TESTS, list_rules
from service.rules.law import RULES_VERSION, Schedule
from service.rules.rule import Regime, Rule
from service.rules.worksheet import InvestorLimit, InvestorTest

JURISDICTIONS = {
    "us": "United States",
    "hk": "Hong Kong",
    "sg": "Singapore",
    "eu": "European Union",
    "uk": "United Kingdom",
    "my": "Malaysia",
    "lbn": "Labuan",
    "ch": "Switzerland",
    "gi": "Gibraltar",
    "de": "Germany",
    "jp": "Japan",
    "ae": "United Arab Emirates",
    "ky": "Cayman Islands",
    "sc": "Seychelles",
}
_Text = Rule | Regime | InvestorTest | InvestorLimit
_INTRODUCTION = """# Rules

Written by `python -m service schemas write` from the rules themselves; `schemas check` fails when it is out of date.
Version {version}: {regimes} regimes, {rules} rules, {tests} investor tests and {limits} limits, tried by {scenarios}
scenarios of `tests/scenarios`. This is no legal advice: a permit means that none of these rules found a restriction in
the facts given.

How to read a row:

- **Confidence** (H, M, L): how sure we are that the rule says what the law says. What rests on a row of confidence L is
  never permitted alone: it goes to a person (`RULE_UNCONFIRMED`).
- **Source**: what was read. The `primary` text, a `secondary` one (a regulator's summary, a law firm), `recall`
  (general knowledge, unread); or it is `policy` and there is no law to read.
- **Basis**: who asks for it. `law`, the issuer (`issuer_policy`) or the deciding firm (`firm_policy`); a reason of
  policy never claims to be law.
- **From, to**: days on which the text applies. Outside them the rule is not run: an old trade is judged by the old law.
- **Scenarios** a / b: in a scenarios the rule found something (a denial, a review, an obligation), of b that ran it.

The same from a terminal: `goodstanding rules list`, and `rules show ID` with any id or reason code of this page.
"""


def render_rule_docs() -> str:
    """Return the page, the same text on every machine."""
    counts = count_scenarios()
    rules = list_rules(ALL_LAW)
    numbers = {"regimes": len(REGIMES), "rules": len(rules), "tests": len(TESTS), "limits": len(LIMITS)}
    return "\n".join(
        [
            _INTRODUCTION.format(version=RULES_VERSION, scenarios=f"{counts.total:,}", **numbers),
            *_write_contents(counts),
            "## 2. Always on\n\nThese run for every regime, before its own rules, in this order.\n",
            _write_rules(ALWAYS_RULES, counts),
            "## 3. Regimes\n\nIn addition to what is always on.\n",
            *(_write_regime(regime, counts) for _, regimes in _group(REGIMES.values()) for regime in regimes),
            *_write_routes(),
            *_write_schedules(),
            *_write_tests(counts),
            *_write_limits(counts),
            *_write_codes(counts),
            *_write_law(),
        ]
    )


def _group(entries: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """Group entries by jurisdiction, in the order of the jurisdictions."""
    order = {code: number for number, code in enumerate(JURISDICTIONS)}
    placed = sorted(entries, key=lambda entry: (order.get(_jurisdiction(entry), len(order)), entry.id))
    return [
        (JURISDICTIONS.get(code, code.upper()), list(members)) for code, members in groupby(placed, key=_jurisdiction)
    ]


def _jurisdiction(entry: _Text) -> str:
    return entry.id.partition(".")[0]


def _link(regime_id: str) -> str:
    return f"[`{regime_id}`](#{regime_id})"


def _days(entry: Rule | Regime) -> tuple[str, str]:
    return _day(entry.effective_from), _day(entry.effective_to)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _quote(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _write_contents(counts: Counts) -> Iterator[str]:
    yield "## 1. Regimes by jurisdiction\n"
    columns = ("regime", "what it is", "citation", "confidence", "source", "from", "to", "scenarios")
    for jurisdiction, regimes in _group(REGIMES.values()):
        yield f"### {jurisdiction}\n"
        yield to_table(
            columns,
            [
                to_row(
                    *(_link(each.id), each.title, each.citation, each.confidence, each.source, *_days(each)),
                    counts.entries[each.id],
                )
                for each in regimes
            ],
        )


def _write_regime(regime: Regime, counts: Counts) -> str:
    asks = ", ".join(need.credential_type for need in regime.needs)
    category = f", of a category `{regime.asks_category}*`" if regime.asks_category else ""
    anchor = f'<a id="{regime.id}"></a>\n\n### {regime.id}: {regime.title}\n'
    head = f"{anchor}\n{regime.citation}. Asks for: {asks}{category}.\n"
    if not regime.rules:
        return f"{head}\nIt has no rules of its own: what is always on decides, and a person confirms.\n"
    return f"{head}\n{_write_rules(regime.rules, counts)}"


def _write_rules(rules: Sequence[Rule], counts: Counts) -> str:
    columns = (
        *("rule", "citation", "from", "to", "confidence", "source", "basis"),
        *("answers", "thresholds", "scenarios"),
    )
    return to_table(columns, [_write_rule(rule, counts) for rule in rules])


def _write_rule(rule: Rule, counts: Counts) -> str:
    return to_row(
        *(f"`{rule.id}`", rule.citation, *_days(rule), rule.confidence, rule.source, rule.basis),
        _quote(list_codes(rule)),
        _write_thresholds(rule.parameters),
        f"{counts.spoke[rule.id]} / {counts.run[rule.id]}",
    )


def _write_thresholds(parameters: Mapping[str, str | Schedule[Any]]) -> str:
    return "; ".join(
        f"{name} {'[by date](#5-thresholds-by-date)' if isinstance(value, Schedule) else value}"
        for name, value in parameters.items()
    )


def _write_routes() -> Iterator[str]:
    yield "## 4. Exemptions of resale\n\nA rule tries them in order; one that is open is enough.\n"
    rules = list_rules(ALL_LAW).values()
    yield to_table(
        ("exemption", "route of a decision", "citation", "tried by"),
        [
            to_row(f"`{name}`", f"`{route}`", cited, _quote([r.id for r in rules if name in list_routes(r)]))
            for name, (route, cited) in ROUTES.items()
        ],
    )


def _write_schedules() -> Iterator[str]:
    yield "## 5. Thresholds by date\n\nThose that changed or are due to. Of several rows that apply the last counts.\n"
    entries: list[Rule | InvestorTest | InvestorLimit] = [
        *list_rules(ALL_LAW).values(),
        *TESTS.values(),
        *LIMITS.values(),
    ]
    yield to_table(
        ("of", "threshold", "value", "from", "to", "citation", "since version", "pending law"),
        [
            to_row(
                *(f"`{entry.id}`", name, _value(row.value), _day(row.effective_from), _day(row.effective_to)),
                *(row.citation or entry.citation, row.since, row.pending or ""),
            )
            for entry in entries
            for name, schedule in entry.parameters.items()
            if isinstance(schedule, Schedule)
            for row in schedule.rows
        ],
    )


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _write_tests(counts: Counts) -> Iterator[str]:
    yield "## 6. Investor tests\n\nWorked from figures that stay with whoever enters them; what leaves is the answer.\n"
    columns = ("test", "what it is", "citation", "from", "confidence", "source", "thresholds", "evidence", "scenarios")
    for jurisdiction, tests in _group(TESTS.values()):
        yield f"### Tests: {jurisdiction}\n"
        yield to_table(columns, [_write_computation(test, counts.entries[f"test:{test.id}"]) for test in tests])


def _write_limits(counts: Counts) -> Iterator[str]:
    yield "## 7. Limits\n\nWhat an investor may buy, or sell, in one go or in a period.\n"
    columns = ("limit", "what it is", "citation", "from", "confidence", "source", "thresholds", "evidence", "scenarios")
    yield to_table(columns, [_write_computation(each, counts.entries[f"limit:{each.id}"]) for each in LIMITS.values()])


def _write_computation(entry: InvestorTest | InvestorLimit, scenarios: int) -> str:
    return to_row(
        *(f"`{entry.id}`", entry.title, entry.citation, _day(entry.effective_from), entry.confidence, entry.source),
        *(_write_thresholds(entry.parameters), "; ".join(entry.evidence), scenarios),
    )


def _write_codes(counts: Counts) -> Iterator[str]:
    yield (
        "## 8. Reasons and obligations\n\nIn the order in which a decision lists them. "
        "[projections.md](projections.md) says what they become in token standards.\n"
    )
    yield to_table(
        ("code", "says", "class", "given by", "scenarios"),
        [
            to_row(
                *(f"`{code['id']}`", code["means"], code["class"]),
                _quote([name for name in code["rules"] if "." in name]) or "the evaluation itself",
                counts.codes[code["id"]],
            )
            for code in list_all()["codes"]
        ],
    )


def _write_law() -> Iterator[str]:
    listed = list_all()
    yield "## 9. Versions of the rules\n\nOlder ones stay evaluable: a bundle is replayed under its own.\n"
    yield to_table(
        ("version", "adopted on", "rules", "regimes", "sha256"),
        [
            to_row(*(each[name] for name in ("id", "adopted_on", "rules", "regimes", "sha256")))
            for each in listed["releases"]
        ],
    )
    yield (
        "## 10. Pending law\n\nNot applied unless it is assumed: a preview with `VERSION+ID` as its `rules_version` "
        "answers what would be if it were in force.\n"
    )
    yield to_table(
        ("id", "what it is", "changes"),
        [
            to_row(f"`{each['id']}`", each["title"], _write_changes(each["brings"], each["changes"]))
            for each in listed["pending"]
        ],
    )


def _write_changes(brings: Sequence[str], changes: Sequence[Mapping[str, Any]]) -> str:
    rows = [f"`{change['id']}` {change['parameter']}: {change['value']}" for change in changes]
    return "; ".join([*(f"`{name}`" for name in brings), *rows]) or "nothing here yet"
