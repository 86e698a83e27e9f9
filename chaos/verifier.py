"""The judge: from Kafka alone, with no line of the engine, says whether anything was lost, doubled or wrong.

What is compared with the fault-free run: all outcomes of an account to which nothing came from others, byte for byte
and in order; for the others their ids and contents as multisets, but for `balance`, `lot` and `lots`, which say what
was there before, and so depend on when a record from another account arrived. These are recomputed instead.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chaos.books import Books
from chaos.load import Planned
from chaos.oracle import FaultFree
from chaos.topics_read import OUTCOME_TOPICS, Found, Topics
from chaos.verdict import Verdict
from schemas.topics import DEAD_LETTERS, JOURNAL, LINKS, TOPIC_OF_TYPE

DEPENDS_ON_ARRIVAL: Final = frozenset({"balance", "lot", "lots"})
Outcome = dict[str, Any]


def verify(topics: Topics, sent: Sequence[Planned], fault_free: FaultFree | None) -> Verdict:
    """Judge what a run left in the topics.

    Without a fault-free run (where events come late, so that their order is not given) nothing is compared with it,
    nor is an order asked for; all the rest is judged.
    """
    verdict = Verdict()
    entries: dict[str, list[Outcome]] = defaultdict(list)
    for record in topics[JOURNAL.name]:
        entries[record.key].append(record.value)
    _events(verdict, entries, sent, in_order=fault_free is not None)
    _links(verdict, topics, entries)
    _letters(verdict, topics[DEAD_LETTERS.name])
    _published(verdict, topics, entries)
    balances = _books(verdict, entries)
    if fault_free is not None:
        _refused(verdict, topics[DEAD_LETTERS.name], fault_free.refused)
        _same_as_without_faults(verdict, entries, fault_free.outcomes)
        expected = {key: books.balance for key, books in _kept(_by_account(fault_free.outcomes)).items()}
        for key in expected.keys() | balances.keys():
            want, got = expected.get(key, 0), balances.get(key, 0)
            verdict.check(want == got, f"final balance of {key}: {got} instead of {want}")
    _between_accounts(
        verdict, [outcome for found in entries.values() for e in found for outcome in e["outcomes"]]
    )
    return verdict


def _events(
    verdict: Verdict, entries: Mapping[str, list[Outcome]], sent: Sequence[Planned], *, in_order: bool
) -> None:
    """Every accepted event is journalled once, each account's in the order of time."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for record in sent:
        if record.accepted:
            wanted[record.key.decode()].append(json.loads(record.value)["id"])
    for key in wanted.keys() | entries.keys():
        got = [entry["event"]["id"] for entry in entries.get(key, []) if entry["kind"] == "event"]
        verdict.compare("events", [(key, id_) for id_ in wanted[key]], [(key, id_) for id_ in got])
        if in_order and got != wanted[key] and Counter(got) == Counter(wanted[key]):
            at = next(n for n, (a, b) in enumerate(zip(got, wanted[key], strict=True)) if a != b)
            verdict.wrong.append(f"order of {key}: {got[at : at + 3]} instead of {wanted[key][at : at + 3]}")


def _links(verdict: Verdict, topics: Topics, entries: Mapping[str, list[Outcome]]) -> None:
    """Every step between accounts was written once, and applied once."""
    written = [_step(record.value) for record in topics[LINKS.name]]
    applied = [_step(e["link"]) for found in entries.values() for e in found if e["kind"] == "link"]
    verdict.compare("links", sorted(set(written)), written)
    verdict.compare("links applied", written, applied)


def _step(link: Outcome) -> tuple[str, ...]:
    names = ("kind", "operator", "account", "sender_operator", "sender")
    return (*(link[name] for name in names), json.dumps(link["cause"]))


def _letters(verdict: Verdict, letters: Sequence[Found]) -> None:
    """Every record that was refused is a dead letter once."""
    places = [(x.value["topic"], x.value["partition"], x.value["offset"]) for x in letters]
    verdict.compare("dead letters", sorted(set(places)), places)


def _refused(verdict: Verdict, letters: Sequence[Found], expected: set[tuple[str, str]]) -> None:
    """What was refused, for the reason that simulate gives too."""
    found = {(letter.value["reason"], letter.value["value"]) for letter in letters}
    verdict.compare("refused records", sorted(expected), sorted(found))


def _published(verdict: Verdict, topics: Topics, entries: Mapping[str, list[Outcome]]) -> None:
    """The outcome topics hold what the journal says, once, each account's in the journal's order."""
    decided: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, found in entries.items():
        for entry in found:
            for outcome in entry["outcomes"]:
                decided[TOPIC_OF_TYPE[outcome["type"]], key].append(_canonical(outcome))
    published: dict[tuple[str, str], list[str]] = defaultdict(list)
    ids: Counter[str] = Counter()
    for topic in OUTCOME_TOPICS:
        for record in topics[topic]:
            published[topic, record.key].append(_canonical(record.value))
            ids[record.value["id"]] += 1
    verdict.doubled.extend(f"outcome id {id_}: {count} times" for id_, count in ids.items() if count > 1)
    for place in decided.keys() | published.keys():
        verdict.compare("outcomes", decided[place], published[place])
        if Counter(decided[place]) == Counter(published[place]):
            verdict.check(decided[place] == published[place], f"{place}: another order than in the journal")


def _same_as_without_faults(
    verdict: Verdict, entries: Mapping[str, list[Outcome]], fault_free: Sequence[Outcome]
) -> None:
    wanted = _by_account(fault_free)
    for key in wanted.keys() | entries.keys():
        got = [outcome for entry in entries.get(key, []) for outcome in entry["outcomes"]]
        if any(entry["kind"] == "link" for entry in entries.get(key, [])):
            verdict.compare("ids, received", map(_lasting, wanted[key]), map(_lasting, got))
            continue
        a, b = list(map(_canonical, wanted[key])), list(map(_canonical, got))
        verdict.compare("ids, exact", a, b)
        if Counter(a) == Counter(b):
            verdict.check(a == b, f"outcomes of {key} in another order than without faults")


def _books(verdict: Verdict, entries: Mapping[str, list[Outcome]]) -> dict[str, int]:
    """Keep each account's books after the journal; returns the balances."""
    kept = _kept({key: [o for e in found for o in e["outcomes"]] for key, found in entries.items()})
    for key, books in kept.items():
        verdict.wrong.extend(f"books of {key}: {problem}" for problem in books.problems)
        verdict.checked["balances"] += books.judged
    return {key: books.balance for key, books in kept.items()}


def _kept(outcomes: Mapping[str, Iterable[Outcome]]) -> dict[str, Books]:
    kept = {}
    for key, found in outcomes.items():
        books = kept[key] = Books(may_owe=key.startswith("mts-cashback/"))
        for outcome in found:
            books.enter(outcome)
    return kept


def _between_accounts(verdict: Verdict, outcomes: Iterable[Outcome]) -> None:
    """What one side gave the other received or the giver got back; referrals have two sides. By cause."""
    gave: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    sides: Counter[tuple[str, str, str, str, str]] = Counter()
    for outcome in outcomes:
        data, type_ = outcome["data"], outcome["type"]
        cause = outcome["causationid"]
        if type_ == "points.gifted":
            gave[cause] += data["points"]
        elif type_ == "points.redeemed" and data.get("to"):
            spent[cause] += data["points"]  # gone for good, or given back
        elif type_ == "points.received" or data["reason"] == "gift-returned":
            taken[cause] += data["points"]
        elif type_ in ("referral.accepted", "referral.completed"):
            sides[type_, outcome["operator"], data["advocate"], data["friend"], data["role"]] += 1
    for cause in gave.keys() | spent.keys() | taken.keys():
        verdict.checked["gifts"] += 1
        got, given = taken[cause], gave[cause]
        text = f"gift of {cause}: {given} given, {got} received or returned"
        if (got != given) if given else (got not in (0, spent[cause])):
            (verdict.lost if got < given else verdict.doubled).append(text)
    for (type_, operator, advocate, friend, role), count in sides.items():
        verdict.checked["referrals"] += 1
        other = "friend" if role == "advocate" else "advocate"
        text = f"{type_} of {operator}/{friend} by {advocate}: {role} {count} times"
        if count > 1:
            verdict.doubled.append(text)
        if not sides[type_, operator, advocate, friend, other]:
            verdict.lost.append(f"{text}, {other} never")


def _by_account(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[f"{outcome['operator']}/{outcome['subject']}"].append(outcome)
    return found


def _canonical(outcome: Outcome) -> str:
    return json.dumps(outcome, sort_keys=True)


def _lasting(outcome: Outcome) -> str:
    data = {name: value for name, value in outcome["data"].items() if name not in DEPENDS_ON_ARRIVAL}
    return json.dumps({**outcome, "data": data}, sort_keys=True)
