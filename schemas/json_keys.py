"""Names of JSON keys as the parser makes them: looking one up in what was parsed is then one glance.

orjson keeps the keys that it has made and gives the same object again. A dictionary that is asked with another text, though
an equal one, compares both, which takes twice as long. It is only spared work: an equal text finds the same.
"""

from __future__ import annotations

import orjson


def as_parsed(name: str) -> str:
    """The name, as it stands in what the parser returns."""
    (key,) = orjson.loads(orjson.dumps({name: None}))
    return str(key)
