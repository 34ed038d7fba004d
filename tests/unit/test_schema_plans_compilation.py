"""When operations are compiled, what a plan counts in the cache, and what is never compiled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from graphql import OperationDefinitionNode, parse

from schema import CORE_SCHEMA, DocumentRules, Engine, Operation, build_engine, ids
from schema.execution import document_cache
from schema.execution.document_cache import DocumentCache
from schema.execution.field_costs import build_cost_table
from schema.execution.input_bounds import INPUT_BOUNDS
from schema.plans import document_plans
from schema.plans.compile import Plan, compile_operation
from schema.plans.document_plans import MAX_PLANS, DocumentPlans, PlanCompiler
from schema.plans.selection import MAX_FIELDS, Selections
from schema.plans.source import Source
from schema.plans.variables import CompiledVariables, InputCoercers
from schema.strawberry_fixes import object_type_of
from tests.support.plans import compile_always, compile_usually, record_plans
from tests.support.snapshots import CONCERT, FakeStores

TIME = "{ serverTime }"
FLAGS = (
    "query ($a: Boolean!, $b: Boolean!, $c: Boolean!) { serverTime @skip(if: $a) b: serverTime @include(if: $b) %s }"
)
HOLD = "mutation ($input: HoldTicketsInput!) { holdTickets(input: $input) { __typename } }"
CODES = " ".join(f"c{number}: code" for number in range(35))
MANY_ERRORS = " ".join(
    f"m{number}: releaseHold(input: {{holdId: 1}}) {{ ... on DomainError {{ {CODES} }} }}" for number in range(2)
)
LINE = {"tierId": "x", "quantity": 1}
INPUT = {"concertId": "x", "lines": [LINE], "idempotencyKey": "k"}


@pytest.fixture(autouse=True)
def usual_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_usually(monkeypatch)


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Compilations:
    """The plans of documents, compiled by one compiler."""

    clock: Clock = field(default_factory=Clock)
    grown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.compiler = PlanCompiler(CORE_SCHEMA, object_type_of, INPUT_BOUNDS, now=self.clock)

    def plans(self, text: str) -> DocumentPlans:
        return DocumentPlans(self.compiler, parse(text), lambda: self.grown.append(text))


def is_found(plans: DocumentPlans, **variables: object) -> bool:
    return plans.find(None, variables) is not None


def test_document_is_compiled_on_its_second_use() -> None:
    made = Compilations()
    plans = made.plans(TIME)
    assert [is_found(plans) for _ in range(3)] == [False, True, True]
    assert set(made.grown) == {TIME}
    assert plans.size > 0


def test_process_compiles_at_most_once_in_an_interval() -> None:
    made = Compilations()
    first, second = made.plans(TIME), made.plans("{ now: serverTime }")
    for plans in (first, second):
        assert not is_found(plans)
    assert is_found(first)
    made.clock.now_s += document_plans.COMPILE_INTERVAL_S * 0.9
    assert not is_found(second)
    made.clock.now_s += document_plans.COMPILE_INTERVAL_S * 0.2
    assert is_found(second)


def test_compiling_takes_at_most_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Compilations()
    first, second = made.plans(TIME), made.plans("{ now: serverTime }")
    for plans in (first, second):
        assert not is_found(plans)

    def compile_slowly(*given: Any) -> Plan:
        made.clock.now_s += 0.05
        return compile_operation(*given)

    monkeypatch.setattr(document_plans, "compile_operation", compile_slowly)
    assert is_found(first)
    made.clock.now_s += 0.4
    assert not is_found(second)
    made.clock.now_s += 0.1
    assert is_found(second)


def test_odd_variables_do_not_save_a_compilation_for_later() -> None:
    made = Compilations()
    texts = [HOLD.replace("__typename", f"t{number}: __typename") for number in range(3)]
    all_plans = [made.plans(text) for text in texts]
    for plans in all_plans:
        for _ in range(2):
            made.clock.now_s += 1
            assert not is_found(plans, input=None)
    made.clock.now_s += 1
    assert [is_found(plans, input=INPUT) for plans in all_plans] == [True, False, False]


def test_variables_count_in_the_size() -> None:
    made = Compilations()
    declared = [f"$v{number}: [String]" for number in range(100)]
    plans = made.plans(f"query ({' '.join(declared)}, $last: Int!) {{ serverTime }}")
    for _ in range(2):
        assert not is_found(plans, last="odd")
    assert plans.size > 100_000
    assert len(made.grown) == 1


def test_operations_of_a_document_are_compiled_separately() -> None:
    made = Compilations()
    plans = made.plans("query A { serverTime } query B { serverTime }")
    assert [plans.find("A", {}) is not None for _ in range(2)] == [False, True]
    assert plans.find("B", {}) is None
    made.clock.now_s += 1
    assert plans.find("B", {}) is not None


def test_each_choice_of_skipped_fields_has_a_plan_up_to_a_limit() -> None:
    made = Compilations()
    plans = made.plans(FLAGS % "c: serverTime @skip(if: $c)")
    found = 0
    for number in [0, 0, 1, 2, 3, 4, 5, 6, 7]:
        made.clock.now_s += 1
        found += is_found(plans, a=bool(number & 1), b=bool(number & 2), c=bool(number & 4))
    # The variables are compiled once.
    assert (found, len(made.grown)) == (MAX_PLANS, MAX_PLANS + 1)
    assert is_found(plans, a=True, b=True, c=False)


def test_wrong_variables_are_left_to_graphql_core() -> None:
    made = Compilations()
    plans = made.plans(HOLD)
    assert [is_found(plans, input=INPUT) for _ in range(2)] == [False, True]
    assert not is_found(plans, input={**INPUT, "unknown": 1})
    assert not is_found(plans)
    assert is_found(plans, input=INPUT)


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { queryType { name } } }",
        "{ " + " ".join(f"a{number}: serverTime" for number in range(MAX_FIELDS + 1)) + " }",
        # 72 fields, of which 70 are generated for each of four error types.
        f"mutation {{ {MANY_ERRORS} }}",
    ],
)
def test_introspection_and_large_documents_are_never_compiled(text: str) -> None:
    made = Compilations()
    plans = made.plans(text)
    for _ in range(3):
        made.clock.now_s += 1
        assert not is_found(plans)
    assert plans.size == 0


async def use(engine: Engine, text: str, **variables: object) -> Any:
    context = FakeStores(CONCERT).context(None)
    return (await engine.executor.execute(Operation(text, variables, None), context)).payload


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that were executed."""
    return record_plans(monkeypatch)


@pytest.mark.parametrize("compiles_plans", [False, True])
async def test_setting_leaves_all_documents_to_graphql_core(executed: list[Plan], *, compiles_plans: bool) -> None:
    engine = build_engine(DocumentRules(compiles_plans=compiles_plans))
    answers = [await use(engine, "{ me { id } node(id: 1) { id } }") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(executed) == (2 if compiles_plans else 0)


def fail(*_: object) -> Any:
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("owner", "name", "broken"),
    [
        (document_plans, "choosing_variables", fail),
        (InputCoercers, "make_variables", fail),
        (InputCoercers, "make_variables", lambda *_: CompiledVariables(fail, None, 1)),
        (document_plans, "compile_operation", fail),
        (Source, "run", fail),
    ],
    ids=["directives", "variables", "coercing", "plan", "source"],
)
async def test_bug_while_compiling_is_logged_once_and_harms_no_request(
    owner: Any,
    name: str,
    broken: Callable[..., Any],
    executed: list[Plan],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compile_always(monkeypatch)
    engine, core = build_engine(DocumentRules()), build_engine(DocumentRules(compiles_plans=False))
    monkeypatch.setattr(owner, name, broken)
    log_error = mock.Mock()
    monkeypatch.setattr(document_plans.log, "error", log_error)
    for text in (HOLD, HOLD.replace("input", "given").replace("given: $", "input: $"), HOLD):
        variable = "given" if "given" in text else "input"
        assert await use(engine, text, **{variable: INPUT}) == await use(core, text, **{variable: INPUT})
    assert executed == []
    assert log_error.call_count == 1
    assert repr(log_error.call_args.kwargs["exc_info"]) == "KeyError('a bug')"


async def test_plans_count_in_the_cache_and_leave_with_their_document(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_always(monkeypatch)
    engine, text = build_engine(DocumentRules()), "{ me { id } }"
    await use(engine, text)
    plans = Compilations().plans(text)
    assert is_found(plans)
    size = plans.size // document_cache.BYTES_PER_CHARACTER
    # Two documents with their plans fit, and a third evicts the first.
    monkeypatch.setattr(document_cache, "CACHED_CHARACTERS", 2 * (size + len(text)) + 10)
    for other in ("{ m2: me { id } }", "{ m3: me { id } }"):
        await use(engine, other)
    parsed: list[str] = []

    def record(text: str, **given: Any) -> Any:
        parsed.append(text)
        return parse(text, **given)

    monkeypatch.setattr(document_cache, "parse", record)
    for again in ("{ m3: me { id } }", "{ m2: me { id } }", text):
        await use(engine, again)
    assert parsed == [text]


async def test_many_shapes_of_documents_stay_within_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_always(monkeypatch)
    monkeypatch.setattr(document_cache, "CACHED_CHARACTERS", 20_000)
    compiler = PlanCompiler(CORE_SCHEMA, object_type_of, INPUT_BOUNDS)
    cache = DocumentCache(CORE_SCHEMA, build_cost_table(CORE_SCHEMA), unshared_fields=frozenset(), compiler=compiler)
    for number in range(100):
        document = await cache.get(f"{{ a{number}: me {{ id name roles }} }}")
        assert document.plans is not None
        assert is_found(document.plans)
        assert cache.characters <= 20_000
    assert cache.characters > 10_000


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"input": None},
        {"input": "text"},
        {"input": {}},
        {"input": {**INPUT, "unknown": 1, "concertld": 2}},
        {"input": {**INPUT, "lines": LINE}},
        {"input": {**INPUT, "lines": [{"tierId": 1, "quantity": 1.0}]}},
        {"input": {**INPUT, "lines": [{"tierId": "x", "quantity": 2**31}, None]}},
        {"input": {**INPUT, "lines": [LINE] * 501}},
        {"input": {**INPUT, "lines": [{**LINE, "quantity": True}]}},
        {"input": {**INPUT, "queuePass": ["x"]}},
        {"input": INPUT, "other": 1},
        {"input": INPUT, "k" * 101: 1},
        {"input": INPUT, "other": [1] * 501},
        {"input": INPUT, **{f"k{number}": 1 for number in range(300)}},
        {"input": {**INPUT, **{f"k{number}": 1 for number in range(300)}}},
    ],
)
async def test_wrong_variables_get_the_words_of_graphql_core(
    variables: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_always(monkeypatch)
    plans, core = build_engine(DocumentRules()), build_engine(DocumentRules(compiles_plans=False))
    # The viewer is signed out, so right variables are answered with an error of the field.
    assert "errors" in await use(plans, HOLD, input=INPUT)
    assert await use(plans, HOLD, **variables) == await use(core, HOLD, **variables)


@pytest.mark.parametrize("lines", [300, 500])
async def test_total_of_values_in_several_lists_is_bounded_in_plans(
    executed: list[Plan], lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_always(monkeypatch)
    text = "mutation($input: PurchaseTicketsInput!) { purchaseTickets(input: $input) { __typename } }"
    some = [LINE] * lines
    what = {"newHold": {"concertId": "x", "lines": some}}
    customer = {"customerName": "A", "customerEmail": "a@example.org"}
    sent = {**customer, "idempotencyKey": "k", "lines": some, "what": what}
    answer = await use(build_engine(DocumentRules()), text, input=sent)
    assert ("more than 3000 values" in str(answer)) == (lines == 500)
    assert len(executed) == (lines == 300)


def test_generated_source_contains_no_text_of_the_client() -> None:
    text = """query evilOperation($evilVariable: ID = "evilDefault", $evilFlag: Boolean!) {
      evilAlias: concert(id: $evilVariable, slug: "evilText\\n import os") { ...evilFragment evilName: name }
      waitingRoom(concertId: "evilLiteral") @skip(if: $evilFlag) { status }
    }
    fragment evilFragment on Concert { evilId: id }"""
    document = parse(text)
    operation, fragment = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    fragments: Any = {"evilFragment": fragment}
    selections = Selections(CORE_SCHEMA, operation, fragments, {"evilFlag": False}, object_type_of)
    selections.compile()
    assert "source.name" in selections.source.text
    assert "evil" not in selections.source.text


async def test_compiled_document_is_answered_like_before(executed: list[Plan]) -> None:
    engine = build_engine(DocumentRules())
    text = "query ($id: ID!) { node(id: $id) { __typename } me { name } now: __typename }"
    answers = [await use(engine, text, id=ids.of_concert(CONCERT.id)[:-1]) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["extensions"]["cost"]["requested"] > 0
    assert len(executed) == 1
