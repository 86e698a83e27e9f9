"""Who may do what on the brokers: the least access rights of each role, as data.

`docs/security.md` explains them, `loyalty topics --acls` prints them as commands for Kafka's own tool, and a test
holds against a broker with an authorizer that each role can do its work with exactly these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.topics import ALL, CLOCK, DEAD_LETTERS, INBOUND, JOURNAL, TASK, Role, Topic
from streams.settings import Settings
from streams.table import changelog_topic

SEND_IDS: Final = "send-"
"""Prefix of the transactional ids of `loyalty send` and of the clock."""


class Grant(NamedTuple):
    """Leave to do `operations` on a `resource` (topic, group or transactional-id) of this name, or prefix."""

    resource: str
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


def grants(settings: Settings) -> dict[str, list[Grant]]:
    """Role → what it may do; everything else is forbidden."""
    application = settings.application_id
    changelog = changelog_topic(application)
    everything = [topic.name for topic in ALL] + [changelog]
    written = [t for t in ALL if t.role in (Role.LINKS, Role.OUTCOME, Role.JOURNAL, Role.DEAD_LETTERS)]
    outcomes = [topic for topic in ALL if topic.role is Role.OUTCOME]
    # The commands look at how all topics are set up before they begin.
    look = _topics(everything, "Describe", "DescribeConfigs")
    send = Grant("transactional-id", SEND_IDS, ("Write", "Describe"), prefixed=True)
    return {
        "admin": [*_topics(everything, "Create", "Describe", "DescribeConfigs")],
        "worker": [
            *look,
            *_topics(_names(TASK), "Read"),
            *_topics([*_names(written), changelog], "Write"),
            *_topics([changelog], "Read"),
            Grant("group", application, ("Read",)),
            Grant("transactional-id", f"{application}-task-", ("Write", "Describe"), prefixed=True),
        ],
        "clock": [*look, *_topics([CLOCK.name], "Read", "Write"), send],
        "producer": [*_topics(_names(INBOUND), "Write")],
        "sender": [*look, *_topics(_names([*INBOUND, CLOCK]), "Write"), send],
        "consumer": [
            *_topics(_names(outcomes), "Read"),
            Grant("group", "loyalty-consumer-", ("Read",), prefixed=True),
        ],
        "auditor": [*look, *_topics([JOURNAL.name, CLOCK.name, changelog], "Read")],
        "support": [
            *look,
            *_topics([DEAD_LETTERS.name, JOURNAL.name, CLOCK.name, changelog], "Read"),
            *_topics(_names(INBOUND), "Write"),
            send,
        ],
        "restorer": [
            *look,
            *_topics([*_names(TASK), JOURNAL.name], "Read"),
            *_topics([changelog], "Read", "Write"),
            Grant("group", application, ("Read",)),
            Grant("transactional-id", f"{application}-task-", ("Write", "Describe"), prefixed=True),
        ],
        "eraser": [
            *look,
            *_topics([*_names([*INBOUND, *written]), changelog], "Read", "Write"),
            *_topics(_names([*INBOUND, *written]), "Delete"),
            # Every group that has read a topic is moved along, whatever it is called.
            Grant("group", "*", ("Read", "Describe")),
            Grant("transactional-id", f"{application}-task-", ("Write", "Describe"), prefixed=True),
            send,
        ],
    }


MEANING: Final[dict[str, str]] = {
    "admin": "creates and checks the topics ('loyalty topics')",
    "worker": "decides ('loyalty worker')",
    "clock": "lets time pass ('loyalty clock')",
    "producer": "billing and self-care; give each system only the topics that it writes",
    "sender": "sends files of events ('loyalty send')",
    "consumer": "reads outcomes, read_committed, with groups named loyalty-consumer-…",
    "auditor": "reads journal and rows, writes nothing ('loyalty audit', 'account', 'history')",
    "support": "looks at members and sends dead letters again ('loyalty dead-letters', 'account', 'history')",
    "restorer": "writes lost rows again ('loyalty restore'); nobody has these rights from day to day",
    "eraser": "erases people ('loyalty forget'); nobody has these rights from day to day",
}
"""Role → who it is."""


def commands(settings: Settings) -> list[str]:
    """The rights as calls of Kafka's `kafka-acls.sh`, a user of the role's name for each role."""
    lines = []
    for role, granted in grants(settings).items():
        lines.append(f"# {role}: {MEANING[role]}")
        for grant in granted:
            operations = " ".join(f"--operation {name}" for name in grant.operations)
            pattern = " --resource-pattern-type prefixed" if grant.prefixed else ""
            lines.append(
                f"kafka-acls.sh --bootstrap-server {settings.bootstrap} --add --allow-principal User:{role} "
                f"{operations} --{grant.resource} {grant.name}{pattern}"
            )
    return lines


def table(settings: Settings) -> str:
    """The rights as a Markdown table, for `docs/security.md`."""
    rows = ["| role | may | on |", "|---|---|---|"]
    for role, granted in grants(settings).items():
        together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for grant in granted:
            name = f"`{grant.name}{'*' if grant.prefixed else ''}`"
            together.setdefault((grant.resource, grant.operations), []).append(name)
        for (resource, operations), names in together.items():
            every = resource == "topic" and len(names) == len(ALL) + 1
            shown = "every topic below" if every else f"{resource} {', '.join(names)}"
            rows.append(f"| {role} | {', '.join(operations)} | {shown} |")
    return "\n".join(rows) + "\n"


def _topics(names: Iterable[str], *operations: str) -> list[Grant]:
    return [Grant("topic", name, operations) for name in names]


def _names(topics: Sequence[Topic]) -> list[str]:
    return [topic.name for topic in topics]
