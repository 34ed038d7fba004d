"""Reads Stripe's form encoding: `metadata[a]=b`, `created[gte]=1`, `expand[]=x`, `expand[0]=x`."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from payments.sandbox.errors import invalid, missing_parameter

MAX_PARAMETERS = 200
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY_LENGTH = 40
MAX_METADATA_VALUE_LENGTH = 500

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_TRUE = {"true": True, "1": True, "false": False, "0": False}


class Form:
    """The parameters of a request. Raises ApiError for values that Stripe would refuse."""

    def __init__(self, text: bytes | str) -> None:
        if isinstance(text, bytes):
            try:
                text = text.decode()
            except UnicodeDecodeError as error:
                raise invalid("Invalid UTF-8 in the parameters.") from error
        try:
            self._pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError as error:
            raise invalid(f"Too many parameters: the maximum is {MAX_PARAMETERS}.") from error
        self._values = dict(self._pairs)

    def check_names(self, allowed: frozenset[str]) -> None:
        """Raise ApiError for a parameter that the endpoint does not have."""
        for name in self._values:
            match = _NAME.fullmatch(name)
            if match is None or match[1] not in allowed:
                raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")

    def text(self, name: str) -> str | None:
        """Return a value, or None if it is missing or empty."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing_parameter(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,15}", value, re.ASCII):
            raise invalid(f"Invalid integer: {value}", param=name, code="parameter_invalid_integer")
        return int(value)

    def number(self, name: str, default: float) -> float:
        value = self.text(name)
        if value is None:
            return default
        if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value, re.ASCII):
            raise invalid(f"Invalid number: {value}", param=name)
        return float(value)

    def boolean(self, name: str) -> bool | None:
        value = self.text(name)
        if value is None:
            return None
        if value not in _TRUE:
            raise invalid(f"Invalid boolean: {value}", param=name)
        return _TRUE[value]

    def items(self, name: str) -> list[str]:
        """Return the values of a list, in order."""
        return [value for key, value in self._pairs if re.fullmatch(rf"{re.escape(name)}\[\d*\]", key)]

    def mapping(self, name: str) -> dict[str, str]:
        prefix = f"{name}["
        return {
            key[len(prefix) : -1]: value
            for key, value in self._values.items()
            if key.startswith(prefix) and key.endswith("]")
        }

    def metadata(self) -> dict[str, str]:
        found = {key: value for key, value in self.mapping("metadata").items() if value}
        check_metadata(found)
        return found


def check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > MAX_METADATA_KEYS:
        raise invalid(f"Metadata can have at most {MAX_METADATA_KEYS} keys.", param="metadata")
    for key, value in metadata.items():
        if len(key) > MAX_METADATA_KEY_LENGTH:
            raise invalid(f"Metadata keys can have at most {MAX_METADATA_KEY_LENGTH} characters.", param="metadata")
        if len(value) > MAX_METADATA_VALUE_LENGTH:
            message = f"Metadata values can have at most {MAX_METADATA_VALUE_LENGTH} characters."
            raise invalid(message, param=f"metadata[{key}]")
