"""The findings of a proof."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Findings:
    """Counts and violations.

    While the traffic runs, `entries` and `busiest_minute` come from the observed states; afterward,
    they come from the events.
    """

    observed: int = 0
    most_slots: int = 0
    at_the_cap: int = 0
    """The number of observed states in which no slot was free."""
    busiest_minute: int = 0
    calls: int = 0
    entries: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, int]]:
        return [
            ("states observed", self.observed),
            ("states without a free slot", self.at_the_cap),
            ("most slots taken", self.most_slots),
            ("queue entries", self.entries),
            ("people called", self.calls),
            ("most called in 60 s", self.busiest_minute),
            *sorted(self.ends.items()),
            *sorted(self.done.items()),
            ("violations", len(self.violations)),
        ]
