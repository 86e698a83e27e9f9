"""Definitions that are wrong: each fault is told with its file, line and field, and what would be right.

In the fragments, the line that a problem must name is marked with `# !`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.cli import run
from loyalty.deployment import programmes_directory
from schemas.programme_checks import check_directory
from schemas.programme_faults import ERROR, WARNING, Problem
from schemas.programme_files import ProgrammeError, load_programmes
from tests.small_world import HEAD

DEFINITIONS = sorted(programmes_directory().glob("*.yaml"))
LEVELS = "levels: {rule: level, maximum: 10, payment_service: internet}\n"
PROMOTION = "promotions:\n  - kind: discount\n    rule: x\n    trigger: activation\n    percent: 5\n    target: internet\n"
IN_A_GROUP = (
    "promotions:\n  - kind: discount\n    rule: {rule}\n    trigger: activation\n    percent: {percent}\n"
    "    target: internet\n    group: fee\n    when: {when}\n"
)
ENTITLEMENT = "promotions:\n  - kind: entitlement\n    rule: x\n    variants:\n"
REFERRAL = "referral:\n  rule: r\n  completes: registration\n  tests: [unknown-code, self-referral]\n"
POINTS = "points: {source: adjustments}\n"
TENURE = "membership: {starts_with: service.activated}\ntenure: {rule: t, points: 10}\n"


def problems_of(directory: Path, *definitions: str) -> list[Problem]:
    """The problems of one file with these revisions, each put below the usual head."""
    (directory / "shop.yaml").write_text("---\n".join(HEAD + text for text in definitions), "utf-8")
    return check_directory(directory)


def marked_line(directory: Path) -> int:
    """The line that is marked with `# !`."""
    lines = (directory / "shop.yaml").read_text("utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.endswith("# !")), 0)


UNREADABLE = [
    ("membership: {segment: indvidual}  # !", "membership.segment", "did you mean 'individual'?"),
    ("levls: {}  # !", "levls", "no such field; did you mean 'levels'?"),
    (PROMOTION + "    triger: tariff  # !", "promotions.0.triger", "did you mean 'trigger'?"),
    ("points:\n  expiry: {policy: roling, months: 12}  # !", "points.expiry", "did you mean 'rolling'?"),
    ("rewards: {rule: r, items: {mug: {points: 5}}}  # !", "rewards.items.mug", "kind is missing"),
    ("closure:  # !\n  rule: closure", "closure.day", "is missing"),
    ("gifts: {rule: Gift}  # !", "gifts.rule", "lower-case letters, digits and single hyphens"),
    ("gifts: yes  # !", "gifts", "a section with fields of its own"),
    (
        "tenure: {rule: t, points: yes}  # !",
        "tenure.points",
        "a whole number without quotes is wanted, not true",
    ),
    (
        "tenure: {rule: t, points: '5'}  # !",
        "tenure.points",
        "a whole number without quotes is wanted, not '5'",
    ),
    ("gifts: {rule: g, transferable: 'no'}  # !", "gifts.transferable", "true or false is wanted, not 'no'"),
    (
        "accrual:\n  rule: a\n  rates: [{event: charge, of: [mobile], per: 5.10}]  # !",
        "accrual.rates.0.per",
        'quoted decimal such as "5.00"',
    ),
    (
        "accrual:\n  rule: a\n  rates: [{event: charge, of: mobile}]  # !",
        "accrual.rates.0.of",
        "a list is wanted",
    ),
    ("effective_from: 2026-01-01T10:00:00  # !", "effective_from", "without a time of day"),
    ("effective_from: 20260101  # !", "effective_from", "such as 2025-08-01"),
    ("effective_from: 2026-02-30  # !", "", "day is out of range for month"),
    ("title: Again  # !", "title", "written twice"),
    ("a: [  # !", "", "not YAML"),
    ("membership: &m  # !\n  segment: *m", "", "an alias of what it stands in"),
    ("membership: !mine {}  # !", "", "the tag '!mine' has no meaning here"),
    ("membership: {segment: !mine x}  # !", "", "could not determine a constructor"),
    ("membership: {!mine segment: individual}  # !", "", "a key is a plain word"),
    ("yes: 1  # !", "", "put what YAML takes for more in quotes"),
    ("? [a]  # !\n: b", "", "a key is a plain word"),
]


@pytest.mark.parametrize(("text", "field", "message"), UNREADABLE)
def test_what_cannot_be_read(text: str, field: str, message: str, tmp_path: Path) -> None:
    problems = problems_of(tmp_path, text)
    assert len(problems) == 1, problems
    problem = problems[0]
    assert (problem.severity, problem.field) == (ERROR, field)
    assert message in problem.message
    # The parser notices an open bracket only where the text ends.
    assert problem.line == marked_line(tmp_path) or "not YAML" in problem.message


INSIDE_A_SECTION = [
    (
        PROMOTION + "    active: {since: 2026-03-01, until: 2026-02-01}  # !",
        "promotions.0.active",
        "no day is in",
    ),
    (
        PROMOTION + "    when:\n      tariffs:\n        - family: F\n"
        "          speed_mbps: {at_least: 100, at_most: 20}  # !",
        "promotions.0.when.tariffs.0.speed_mbps",
        "no speed is in",
    ),
    (
        PROMOTION + "    when:\n      signed_on: {since: 2026-03-01, until: 2026-02-01}  # !",
        "promotions.0.when.signed_on",
        "no day is in",
    ),
    (
        POINTS + "rewards:\n  rule: r\n  items:\n    c: {kind: amount, denominations: [500, 100]}  # !",
        "rewards.items.c",
        "in ascending order",
    ),
    (
        POINTS + "rewards:\n  rule: r\n  items:\n"
        "    c: {kind: amount, denominations: [500], denominations_step: 100, denominations_up_to: 400}  # !",
        "rewards.items.c",
        "allows no step",
    ),
    (
        ENTITLEMENT + "      - {tariffs: [{family: F}], terms: {window: all, reason: summer}}  # !",
        "promotions.0.variants.0",
        "'reason' is a field of every such outcome",
    ),
    ("membership: {activated_before: 2026-01-01}  # !", "membership", "starts_with: service.activated"),
    (REFERRAL + "  active: {since: 2026-01-01}\n  advocate: {rule: a, points: 5}", "referral", "add it"),
]


@pytest.mark.parametrize(("text", "field", "message"), INSIDE_A_SECTION)
def test_a_section_that_contradicts_itself_stops_every_command(
    text: str, field: str, message: str, tmp_path: Path
) -> None:
    problems = problems_of(tmp_path, text)
    assert [(problem.severity, problem.field) for problem in problems] == [(ERROR, field)]
    assert message in problems[0].message
    assert problems[0].line == (marked_line(tmp_path) or 5)
    with pytest.raises(ProgrammeError):
        load_programmes(tmp_path)


CONTRADICTIONS = [
    # points
    ("points:\n  expiry: {policy: rolling, months: 1}\n  warn_days_before:\n    - 31  # !", ERROR,
     "points.warn_days_before.0", "no lot exists yet"),
    ("points:\n  expiry: {policy: rolling, months: 1}\n  warn_days_before:\n    - 30  # !", WARNING,
     "points.warn_days_before.0", "not every lot"),
    ("points:\n  expiry: {policy: calendar-year}\n  warn_days_before: [366]  # !", ERROR,
     "points.warn_days_before.0", "no lot exists yet"),
    ("points:\n  warn_days_before: [30]  # !", WARNING, "points.warn_days_before", "nothing to warn about"),
    ("points:\n  expiry: {policy: rolling, months: 12}\n  warn_days_before: [30, 30]  # !", ERROR,
     "points.warn_days_before.1", "twice"),
    ("accrual:\n  rule: a\n  rates:\n    - {event: purchase, of: [saloon]}  # !", ERROR,
     "accrual.rates.0.of.0", "did you mean 'salon'?"),
    ("accrual:\n  rule: a\n  rates: [{event: charge, of: [mobile]}]\n  confirm_within_days: 5  # !", WARNING,
     "accrual.confirm_within_days", "no rate is for purchases"),
    (LEVELS[:-2] + ", paused_by_group: fees}  # !", ERROR, "levels.paused_by_group", "no discount is of the group"),
    (LEVELS[:-2] + ", late_arrival_days: 60}  # !", WARNING, "levels.late_arrival_days", "more than 45 days older"),
    (LEVELS[:-2] + ", converted_target: internet}  # !", ERROR, "levels.converted_target", "without converted_rule"),
    ("effective_from: 2026-06-01\nclosure:\n  rule: c\n  day: 2026-06-01  # !", ERROR, "closure.day",
     "before it begins"),
    # spending
    ("rewards:  # !\n  rule: r\n  items: {mug: {kind: catalogue, points: 5}}", ERROR, "rewards",
     "can never be afforded: no section credits points"),
    ("gifts: {rule: g}  # !", ERROR, "gifts", "can never be afforded"),
    (TENURE + "points: {expiry: {policy: rolling, months: 12}}\nrewards:\n  rule: r\n  items:\n"
     "    car: {kind: catalogue, points: 121}  # !", ERROR, "rewards.items.car", "never holds more than 120"),
    (TENURE + "points: {expiry: {policy: rolling, months: 12}}\nrewards:\n  rule: r\n  items:\n"
     "    voucher: {kind: amount, denominations: [500, 1000]}  # !", ERROR, "rewards.items.voucher",
     "costs at least 500"),
    ("gifts: {rule: g, transferable: false, gifts_per_day: 1}  # !", ERROR, "gifts.gifts_per_day",
     "contradicts transferable: false"),
    (POINTS + "gifts: {rule: g, gifts_per_day: 1, receivers_per_month: 40}  # !", WARNING,
     "gifts.receivers_per_month", "can never be reached"),
    ("goals: {rule: g}  # !", WARNING, "goals", "a goal has no effect"),
    (REFERRAL + "  advocate: {rule: a}  # !", ERROR, "referral.advocate", "brings nothing to either side"),
    (REFERRAL + "  friend: {rule: f, points: 5}\n  advocate: {rule: a}  # !", WARNING, "referral.advocate",
     "gets nothing for it"),
    # promotions
    ("effective_from: 2026-06-01\n" + PROMOTION + "    active: {until: 2026-05-31}  # !", ERROR,
     "promotions.0.active", "before this revision decides anything"),
    (PROMOTION + "    active: {until: 2026-05-31}\n    when:\n      signed_on: {since: 2026-06-01}  # !", ERROR,
     "promotions.0.when.signed_on", "nobody can sign"),
    (PROMOTION + "    active: {until: 2026-05-31}\n    activated: {since: 2026-06-01}  # !", ERROR,
     "promotions.0.activated", "comes after active.until"),
    (PROMOTION + "    active: {since: 2026-06-01}\n    activated: {until: 2026-05-31}  # !", ERROR,
     "promotions.0.activated", "comes before active.since"),
    (PROMOTION + "    active: {since: 2026-06-01}\n    lasts: {not_after: 2026-05-31}  # !", ERROR,
     "promotions.0.lasts.not_after", "would end before it begins"),
    (PROMOTION + "    on_conflict: replace  # !", WARNING, "promotions.0.on_conflict", "without a group"),
    (PROMOTION + "    when:\n      tariffs:\n        - {family: F}\n"
     "        - {family: F, speed_mbps: {at_most: 9}}  # !", WARNING, "promotions.0.when.tariffs.1", "no effect"),
    (IN_A_GROUP.format(rule="wide", percent=10, when="{}")
     + IN_A_GROUP.format(rule="narrow", percent=50, when="{dwelling: house}")[len("promotions:\n"):]
     .replace("- kind: discount", "- kind: discount  # !"), ERROR, "promotions.1", "is always refused: 'wide'"),
    (ENTITLEMENT + "      - tariffs: [{family: F}]\n      - tariffs: [{family: F, speed_mbps: {at_least: 100}}]  # !",
     ERROR, "promotions.0.variants.1.tariffs", "an earlier variant matches all of it"),
    (ENTITLEMENT + "      - tariffs: [{family: F, speed_mbps: {at_most: 50}}]\n"
     "      - tariffs: [{family: F, speed_mbps: {at_least: 51}}]\n"
     "      - tariffs: [{family: F, speed_mbps: {at_least: 20, at_most: 90}}]  # !", ERROR,
     "promotions.0.variants.2.tariffs", "an earlier variant matches all of it"),
    (ENTITLEMENT + "      - tariffs: [{family: F}]  # !\n    when: {tariffs: [{family: G}]}", ERROR,
     "promotions.0.variants.0.tariffs", "when.tariffs allows none"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "severity", "field", "message"), CONTRADICTIONS)
def test_what_can_be_read_but_never_comes_right(
    text: str, severity: str, field: str, message: str, tmp_path: Path
) -> None:
    problems = problems_of(tmp_path, text)
    assert [(problem.severity, problem.field) for problem in problems] == [(severity, field)], problems
    assert message in problems[0].message
    assert problems[0].line == marked_line(tmp_path)


NEXT = "effective_from: 2026-07-01\n"
OPEN_ENDED = PROMOTION + "    when: {tariffs: [{family: F}]}\n    ends_on_leaving_tariffs: true\n"
REVISIONS = [
    (["", "effective_from: 1970-01-01  # !"], ERROR, "effective_from", "one may begin on a day"),
    (["", "effective_from: 2026-07-01  # !"], WARNING, "effective_from", "changes nothing"),
    ([OPEN_ENDED, NEXT], WARNING, "promotions", "no tariff change ends it any more; keep it, with active: "
     "{until: 2026-06-30}"),
    ([PROMOTION + "    active: {until: 2026-05-31}\n    lasts: {months: 3}\n", NEXT], WARNING, "promotions",
     "members keep its discounts"),
    ([ENTITLEMENT + "      - tariffs: [{family: F}]\n", NEXT], WARNING, "promotions", "members keep theirs"),
    ([POINTS + "rewards:\n  rule: r\n  items:\n    m: {kind: fee-discount, rule: month, percent: 5, target: net}\n",
      NEXT + POINTS + "rewards: {rule: r, items: {mug: {kind: catalogue, points: 5}}}  # !"], WARNING, "rewards",
     "'month' of the revision before is not here"),
    ([LEVELS, "effective_from: 2026-07-01  # !"], WARNING, "effective_from", "levels are dropped"),
    ([PROMOTION + "    active: {since: 2026-07-01}  # !\n    lasts: {not_after: 2026-12-31}\n",
      NEXT + "promotions: []\n"], ERROR, "promotions.0.active", "the next revision takes over"),
]  # fmt: skip


@pytest.mark.parametrize(("revisions", "severity", "field", "message"), REVISIONS)
def test_what_a_revision_takes_away(
    revisions: list[str], severity: str, field: str, message: str, tmp_path: Path
) -> None:
    problems = problems_of(tmp_path, *(f"{text.rstrip()}\n" for text in revisions))
    found = [problem for problem in problems if problem.severity == severity]
    assert [problem.field for problem in found] == [field], problems
    assert message in found[0].message
    assert not marked_line(tmp_path) or found[0].line == marked_line(tmp_path)


FINE = [
    # Kept only for those who hold it.
    [OPEN_ENDED, NEXT + OPEN_ENDED + "    active: {until: 2026-06-30}\n"],
    # Nobody can hold it any more.
    [PROMOTION + "    active: {until: 2026-02-01}\n    lasts: {months: 3}\n", NEXT],
    [PROMOTION + "    lasts: {not_after: 2026-06-30}\n", NEXT],
    # Announced before it begins.
    [PROMOTION + "    active: {since: 2026-07-01}\n", NEXT + PROMOTION],
    # The narrower one first, and one that replaces.
    [IN_A_GROUP.format(rule="narrow", percent=50, when="{dwelling: house}")
     + IN_A_GROUP.format(rule="wide", percent=10, when="{}")[len("promotions:\n"):]],
    [IN_A_GROUP.format(rule="wide", percent=10, when="{}")
     + IN_A_GROUP.format(rule="wider", percent=20, when="{}")[len("promotions:\n"):] + "    on_conflict: replace\n"],
    # Not hidden: the earlier ones leave a gap, and a tariff that names no speed.
    [ENTITLEMENT + "      - tariffs: [{family: F, speed_mbps: {at_most: 50}}]\n"
     "      - tariffs: [{family: F, speed_mbps: {at_least: 52}}]\n      - tariffs: [{family: F, speed_mbps: "
     "{at_least: 20, at_most: 90}}]\n      - tariffs: [{family: F}]\n"],
    [TENURE + "points: {expiry: {policy: rolling, months: 12}}\nrewards: {rule: r, items: {a: {kind: catalogue, "
     "points: 120}}}\n"],
]  # fmt: skip


@pytest.mark.parametrize("revisions", FINE)
def test_what_is_no_contradiction(revisions: list[str], tmp_path: Path) -> None:
    assert problems_of(tmp_path, *revisions) == []


def test_the_definitions_that_come_with_the_project_have_no_problems() -> None:
    assert check_directory(programmes_directory()) == []


DAMAGE = ["", "null", "[]", "{}", "-1", "1.5", "yes", "2026-02-30", "0001-01-01", ".nan", "!tag x", "*x", "&x",
          "!!set {a}", "12:30:45", "<<: {a: 1}", "\t", "\x00", "'", "{", "- ", "? ", ": ", "9" * 5000]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_definition_is_a_traceback(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([file.read_text("utf-8") for file in DEFINITIONS]))
    start = data.draw(st.integers(0, len(text)))
    end = start + data.draw(st.integers(0, 12))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "shop.yaml"
        file.write_text(text[:start] + data.draw(st.sampled_from(DAMAGE)) + text[end:], "utf-8")
        for problem in check_directory(Path(directory)):
            assert problem.file == file
            assert "\n" not in str(problem)


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + "levls: {}\nmembership: {segment: all}\n", "utf-8")
    (tmp_path / "b.yaml").write_text(HEAD.replace("shop", "other") + "gifts: {rule: g}\n", "utf-8")
    (tmp_path / "c.yaml").write_text("", "utf-8")
    (tmp_path / "d.yml").write_bytes(b"\xff\xfe\x00")
    found = [(problem.file.name, problem.line) for problem in check_directory(tmp_path)]
    assert found == [("a.yaml", 5), ("a.yaml", 6), ("b.yaml", 5), ("c.yaml", 1), ("d.yml", 1)]


def test_the_command_says_where_and_ends_with_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems_of(tmp_path, "gifts: {rule: g}\ngoals: {rule: g}\n")
    assert run(["check", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert [line.partition(" can ")[0] for line in captured.out.splitlines()] == [
        f"error: {tmp_path / 'shop.yaml'}:5: gifts:",
        f"warning: {tmp_path / 'shop.yaml'}:6: goals: no reward needs a goal and no write-off asks for one; a goal "
        "has no effect",
    ]
    assert captured.err == f"{tmp_path}: 1 error, 1 warning\n"
    assert run(["check", str(tmp_path), "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["severity"], first["line"], first["field"]) == ("error", 5, "gifts")
    assert (second["severity"], second["line"], second["field"]) == ("warning", 6, "goals")


def test_warnings_alone_are_no_failure_unless_asked_for(tmp_path: Path) -> None:
    problems_of(tmp_path, "goals: {rule: g}\n")
    assert run(["check", str(tmp_path)]) == 0
    assert run(["check", str(tmp_path), "--strict"]) == 1


def test_without_a_directory_the_projects_own_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0
    assert capsys.readouterr().out.endswith("programmes: no problems\n")


def test_a_directory_that_is_none_is_bad_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
