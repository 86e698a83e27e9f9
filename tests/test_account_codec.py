"""The row's bytes hold every field, and only what differs from a new account."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.account import Account
from schemas.account_codec import _PLAIN, decode, encode

OTHERS: dict[type, Any] = {bool: True, int: 7, type(None): "text", list: [["rule", 1]], dict: {"a": {"b": 1}}}


@pytest.mark.parametrize(("key", "attribute", "new"), _PLAIN)
def test_a_plain_field_survives_on_its_own(key: str, attribute: str, new: Any) -> None:
    row = Account("mts", "A-1")
    assert getattr(row, attribute) == new
    other = False if new is True else OTHERS[type(new)]
    setattr(row, attribute, other)
    value = encode(row)
    assert getattr(decode("mts", "A-1", value), attribute) == other
    assert value != encode(Account("mts", "A-1")) and b'"%s":' % key.encode() in value


def test_a_new_row_holds_nothing_but_its_version() -> None:
    assert encode(Account("mts", "A-1")) == b'{"v":1}'
