"""The objects in an answer by their ids, as a normalized cache of a client stores them."""

from collections.abc import Mapping

from tests.support.shop import Answer


def objects_by_id(answer: Answer) -> dict[str, dict[str, object]]:
    """Return the fields of each object that has an id. A link is replaced by the id of its object.

    An object that occurs more than once must be the same everywhere.
    """
    found: dict[str, dict[str, object]] = {}
    _collect(answer, found)
    return found


def _collect(value: object, found: dict[str, dict[str, object]]) -> object:
    if isinstance(value, list):
        return [_collect(item, found) for item in value]
    if not isinstance(value, Mapping):
        return value
    fields = {name: _collect(inner, found) for name, inner in value.items()}
    id_ = fields.get("id")
    if not isinstance(id_, str):
        return fields
    known = found.setdefault(id_, {})
    assert {name: known[name] for name in known.keys() & fields.keys()} == {
        name: fields[name] for name in known.keys() & fields.keys()
    }, id_
    known.update(fields)
    return id_
