"""Source text that is generated and compiled. It contains no text of a client: values, also the
names that a client chose, are constants in the namespace of the functions, numbered by position.
"""

from typing import Any


class CannotCompile(Exception):
    """The operation has something that only graphql-core executes."""


class Source:
    def __init__(self) -> None:
        self._lines: list[str] = []
        # Profilers show the generated functions under this name.
        self._namespace: dict[str, Any] = {"__name__": "schema.plans.generated"}
        self._names: dict[int, str] = {}

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
    def lines(self) -> int:
        return len(self._lines)

    @property
    def constants(self) -> int:
        return len(self._namespace)

    def compile(self, name: str) -> Any:
        """Run the source and return what it defines under `name`."""
        self.run()
        return self._namespace[name]

    def run(self) -> dict[str, Any]:
        """Run the source and return its namespace."""
        exec(compile(self.text, "<plan>", "exec"), self._namespace)  # noqa: S102 - our own source
        return self._namespace
