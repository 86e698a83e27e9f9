"""Outcomes in words, for people who watch."""

from __future__ import annotations

from typing import Any


def in_words(outcome: dict[str, Any]) -> str | None:
    """One short sentence; None for what is not worth one."""
    who, data, reason = outcome["subject"], outcome["data"], outcome["data"].get("reason", "")
    match outcome["type"]:
        case "points.credited":
            return f"{who} earned {points(data['points'])} ({_reason(reason)}), has {data['balance']:,} now"
        case "points.received":
            return f"{who} received {points(data['points'])} from {data['from']}"
        case "points.pending":
            return f"{who} will have {points(data['points'])} once the purchase is confirmed"
        case "points.redeemed":
            return f"{who} spent {points(data['points'])} on {data.get('reward', 'a reward')}"
        case "points.gifted":
            return f"{who} gave {points(data['points'])} to {data['to']}"
        case "points.reversed" | "points.expired" | "points.rejected":
            verbs = {"reversed": "lost", "expired": "let expire", "rejected": "will not get"}
            return f"{who} {verbs[outcome['type'][7:]]} {points(data['points'])} ({_reason(reason)})"
        case "points.expiring":
            return f"{points(data['points'])} of {who} expire on {data['expires_on']}"
        case "level.changed" if data["to"] > data["from"]:
            return f"{who} reached level {data['to']}" + _late(reason)
        case "level.changed":
            return f"{who} fell to level {data['to']} ({_reason(reason)})"
        case "referral.accepted" if data["role"] == "friend":
            return f"{who} came with the code of {data['advocate']}"
        case "referral.completed" if data["role"] == "advocate":
            return f"{who} brought {data['friend']}, who is a customer now"
        case "referral.rejected" if data["role"] == "friend":
            return f"the code that {who} typed does not count ({_reason(reason)})"
        case "discount.granted":
            end = f" up to {data['last_day']}" if data["last_day"] else ""
            return f"{who} pays {data['percent']} % less from {data['first_day']}{end} ({data['discount']})"
        case "discount.changed":
            return f"the discount {data['discount']} of {who} lasts up to {data['last_day']} now"
        case "discount.ended":
            return f"the discount {data['discount']} of {who} ended ({_reason(reason)})"
        case "discount.refused":
            return f"{who} does not get {data['discount']} ({_reason(reason)})"
        case "request.rejected":
            return f"{who}: {data['request']} rejected ({_reason(reason)})"
        case "reward.issued":
            return f"{who} got {data['reward']}"
        case "tariff.scheduled" | "tariff.applied":
            verb = "will be" if outcome["type"] == "tariff.scheduled" else "is now"
            return f"{who} {verb} on tariff {data['tariff']} from {data['change_on']}"
        case "entitlement.granted":
            return f"{who} has {data['entitlement']} now"
        case "entitlement.ended":
            return f"{who} has {data['entitlement']} no more ({_reason(reason)})"
    return None


def dead_letter_in_words(letter: dict[str, Any]) -> str:
    """One short sentence about a record that was set aside."""
    return f"set aside: {letter['reason']}; {letter['detail'].partition('; ')[0]}"


def points(number: int) -> str:
    """A count of points with its noun."""
    return f"{number:,} point{'' if number == 1 else 's'}"


def _reason(reason: str) -> str:
    return reason.replace("-", " ")


def _late(reason: str) -> str:
    return " (the payment came late)" if reason == "late-arrival" else ""
