"""Source text that is generated and compiled. It contains no text of a client: values, also the
names that a client chose, are constants in the namespace of the functions, numbered by position.
"""

from typing import Any

_BYTES_PER_LINE = 120
_BYTES_PER_CONSTANT = 150


class CannotCompile(Exception):
    """The operation has something that only graphql-core executes."""


class Source:
    def __init__(self) -> None:
        self._lines: list[str] = []
        # Profilers show the generated functions under this name.
        self._namespace: dict[str, Any] = {"__name__": "schema.plans.generated"}
        self._names: dict[int, str] = {}
        self._other_size = 0

    def line(self, depth: int, text: str) -> None:
        self._lines.append(" " * depth + text)

    def constant(self, value: object) -> str:
        """Return the name of a constant. The same object has one name."""
        known = self._names.get(id(value))
        if known is None:
            # The namespace keeps the value, so its id stays unique.
            known = self._names[id(value)] = f"_{len(self._namespace)}"
            self._namespace[known] = value
        return known

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    @property
    def size(self) -> int:
        """The memory that the functions take, in bytes; an estimate that is rather too high."""
        own = _BYTES_PER_LINE * len(self._lines) + _BYTES_PER_CONSTANT * len(self._namespace)
        return own + self._other_size

    def include(self, other: "Source") -> None:
        """Count another source, whose functions this one calls, in the size."""
        self._other_size += other.size

    def compile(self, name: str) -> Any:
        """Run the source and return what it defines under `name`."""
        self.run()
        return self._namespace[name]

    def run(self) -> dict[str, Any]:
        """Run the source and return its namespace."""
        exec(compile(self.text, "<plan>", "exec"), self._namespace)  # noqa: S102 - our own source
        return self._namespace
