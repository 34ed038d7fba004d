"""The documents and inputs that cost the most within the limits.

Each shape in COMPILED is used twice and then replaced by the same with another comment, so that the
process compiles as often as it allows itself to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from graphql import get_introspection_query

PAGE = """concerts(first: 100) { nodes { id slug name description startsAt status version
    tiers { id name capacity available held sold price { amount } }
    stock { tiers { sold } } waitingRoom { status } } }"""
TIER_FIELDS = "tiers { " + " ".join(f"a{n}: available" for n in range(25)) + " id name }"
WIDE_TIER = " ".join(f"a{n}: price {{ amount minor currency }}" for n in range(30)) + " available held sold " * 20
ROOTS = " ".join(f"a{n}: concerts(first: 5) {{ nodes {{ id tiers {{ available }} }} }}" for n in range(20))
CHAIN = (
    "{ concerts { nodes { ...F0 } } } "
    + " ".join(f"fragment F{n} on Concert {{ id name ...F{n + 1} }}" for n in range(15))
    + " fragment F15 on Concert { slug }"
)
REPEATED_FIELDS = "{ concerts { nodes { " + "id name slug tiers { id name } " * 20 + "} } }"
ENUMS = "query ({}) {{ {} }}".format(
    " ".join(f"$v{n}: [ConcertStatus!]" for n in range(9)),
    " ".join(f"a{n}: concerts(first: 1, filter: {{status: $v{n}}}) {{ nodes {{ id }} }}" for n in range(9)),
)
CREATE_CONCERT = "mutation ($input: CreateConcertInput!) { createConcert(input: $input) { __typename } }"


REPEATED = " ".join(("id", "slug", "name", "status", "version", "currency", "epoch"))
FIELDS = " ".join(
    f'a{n}: concert(slug: "x") {{ id slug name description status version currency epoch }}' for n in range(13)
)
ALIASES = " ".join(
    f'a{n}: concert(slug: "x") {{ id status version {"b: slug" if n < 10 else "slug"} }}' for n in range(20)
)
FRAGMENTS = '{ concert(slug: "x") { ...F0 } } ' + " ".join(
    f"fragment F{n} on Concert {{ {REPEATED} {f'...F{n + 1}' if n < 14 else ''} }}" for n in range(15)
)
LEVELS = 6
DEEP = (
    'concert(slug: "x") { '
    + f"{REPEATED} waitingRoom {{ status version epoch round servingNumber concert {{ " * LEVELS
    + "id "
    + "} } " * LEVELS
    + "}"
)
UNIONS = " ".join(
    f'a{n}: releaseHold(input: {{holdId: "x"}}) {{ __typename ... on DomainError {{ code }} }}' for n in range(18)
)
INTERFACES = " ".join(f'a{n}: node(id: "x") {{ __typename id }}' for n in range(14))
VARIABLES = "query ({}) {{ {} }}".format(
    " ".join(f"$f{n}: ConcertFilter, $s{n}: ConcertSort, $n{n}: Int" for n in range(15)),
    " ".join(f"a{n}: concerts(first: $n{n}, filter: $f{n}, sort: $s{n}) {{ nodes {{ id name }} }}" for n in range(15)),
)
FILTER = {"status": ["PUBLISHED"], "search": "rush", "city": "Amsterdam", "startsAfter": "2030-01-01T00:00:00Z"}
LITERALS = " ".join(
    f'a{n}: concerts(first: 1, filter: {{status: [PUBLISHED], search: "rush {n}", city: "Amsterdam",'
    f' startsAfter: "2030-01-01T00:00:00Z"}}) {{ nodes {{ id name }} }}'
    for n in range(15)
)
CHOICES = "query ($yes: Boolean!, $no: Boolean!) {{ {} }}".format(
    " ".join(
        f'a{n}: concert(slug: "x") {{ id @include(if: $yes) slug @skip(if: $no) name @include(if: $yes) status }}'
        for n in range(16)
    )
)


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    document: str
    variables: dict[str, object] = field(default_factory=dict)
    is_new_each_time: bool = False
    """Whether each request has a different comment, so that the document is never cached."""
    uses: int = 1
    """The number of requests with the same comment. With 2, all documents ask to be compiled."""

    @property
    def is_compiled(self) -> bool:
        return self.uses > 1

    def body(self, number: int) -> bytes:
        document = f"{self.document} #{number // self.uses}" if self.is_new_each_time else self.document
        return orjson.dumps({"query": document, "variables": self.variables})


def _compile(name: str, document: str, variables: Mapping[str, object] | None = None) -> "Attack":
    return Attack(f"compiled: {name}", document, dict(variables or {}), is_new_each_time=True, uses=2)


COMPILED = (
    _compile("117 fields", f"{{ {FIELDS} }}"),
    _compile("20 root fields and 30 aliases", f"{{ {ALIASES} }}"),
    _compile("a chain of 15 fragments with the same 7 fields", FRAGMENTS),
    _compile("14 levels", f"{{ {DEEP} }}"),
    _compile("18 mutations with a union of 5 types", f"mutation {{ {UNIONS} }}"),
    _compile("14 interfaces", f"{{ {INTERFACES} }}"),
    _compile("45 variables", VARIABLES, {f"f{n}": FILTER for n in range(15)} | {f"n{n}": 1 for n in range(15)}),
    _compile("15 objects as literals", f"{{ {LITERALS} }}"),
    _compile("48 directives", CHOICES, {"yes": True, "no": False}),
)
"""The shapes whose plans take long to compile."""
ATTACKS = (
    Attack("a page of 100 concerts", f"{{ {PAGE} }}"),
    Attack("the same page, never cached", f"{{ {PAGE} }}", is_new_each_time=True),
    Attack("a page with 25 aliases of a tier's field", f"{{ concerts(first: 50) {{ nodes {{ {TIER_FIELDS} }} }} }}"),
    Attack("20 root fields", f"{{ {ROOTS} }}"),
    Attack("a full introspection, never cached", get_introspection_query(), is_new_each_time=True),
    Attack("a chain of 16 fragments", CHAIN, is_new_each_time=True),
    Attack("the same fields 20 times", REPEATED_FIELDS, is_new_each_time=True),
    Attack("an unfinished document of 2,000 tokens", "{ a " * 990, is_new_each_time=True),
    Attack("1,800 enum values", ENUMS, {f"v{n}": ["PUBLISHED"] * 200 for n in range(9)}),
    Attack("190 unknown keys", CREATE_CONCERT, {"input": {f"name{n}": n for n in range(190)}}),
    Attack(
        "unknown keys that resemble real names",
        CREATE_CONCERT,
        {"input": {f"salesStartAx{n:03}": n for n in range(190)}},
    ),
    Attack(
        "an unused fragment of 176 fields",
        "{ serverTime } fragment F on Tier { " + "price { amount } " * 88 + "}",
        is_new_each_time=True,
    ),
    Attack("50 tiers with 180 fields each", f"{{ concerts(first: 1) {{ nodes {{ tiers {{ {WIDE_TIER} }} }} }} }}"),
    Attack("19,000 items in a list", ENUMS, {"v0": ["PUBLISHED"] * 19_000}),
    Attack("nested lists of 250 KB", ENUMS, {"v0": [[[0] * 199] * 199] * 3}),
    *COMPILED,
)
