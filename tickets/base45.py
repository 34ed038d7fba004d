"""Base45 (RFC 9285): bytes as the characters of a QR code's alphanumeric mode.

Decoding is strict, so a code can be written in only one way.
"""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


def encode(content: bytes) -> str:
    """Return three characters for every two bytes, and two characters for a single last byte."""
    text = []
    for start in range(0, len(content), 2):
        pair = content[start : start + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            text.append(_ALPHABET[digit])
    return "".join(text)


def decode(text: str) -> bytes:
    """Return the bytes. Raises ValueError for a text that `encode` never returns."""
    content = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        if len(group) == 1 or not set(group) <= _VALUES.keys():
            raise ValueError("not Base45")
        value = sum(_VALUES[character] * 45**place for place, character in enumerate(group))
        try:
            content += value.to_bytes(len(group) - 1, "big")
        except OverflowError as error:
            raise ValueError("not Base45") from error
    return bytes(content)
