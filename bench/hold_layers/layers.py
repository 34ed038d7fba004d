"""The layers of a hold, and which of them the program is in, judged by its stack.

A layer is a set of modules. A stack belongs to the layer of its innermost frame whose module is in
the table, so a library that is not in the table, such as `json`, counts for its caller.
"""

from collections.abc import Iterable, Mapping
from functools import cache

CLIENT = "client of the benchmark"
OTHER = "other"
"""Stacks without a frame that belongs to a layer, for example those of the event loop itself."""
EVENT_LOOP = "asyncio.runners"
"""The module of the frame that runs the event loop. Frames outside it did not cause the work."""
LAYERS: Mapping[str, tuple[str, ...]] = {
    "HTTP connection (uvicorn)": ("uvicorn", "web.fast_path"),
    "proxies, request id and headers": ("web.proxies", "web.middleware"),
    "access line": ("web.logs",),
    "Starlette": ("starlette",),
    "endpoint": ("web",),
    "access token": ("auth",),
    "queue pass": ("auth.passes",),
    "document and its cost": ("schema.execution",),
    "compiled plan": ("schema.plans",),
    "variables and arguments": (
        "graphql.execution.get_variable_signature",
        "graphql.execution.values",
        "graphql.utilities",
        "strawberry.types.arguments",
    ),
    "graphql-core": ("graphql",),
    "Strawberry": ("strawberry",),
    "ids and scalars": ("schema.ids", "schema.scalars"),
    "types and fields": ("schema",),
    "resolvers": ("resolvers",),
    "rate limits": ("resolvers.call_limits", "domain.limits"),
    "rules of the domain": ("domain",),
    "calls of the store": ("storage",),
    "connection to the store": (
        "hiredis",
        "redis",
        "storage.hot.guarded_client",
        "storage.hot.pipeline",
        "storage.hot.resp",
        "storage.hot.script_client",
        "storage.hot.store_connection",
    ),
    "hints of changes": ("subscriptions",),
    "counters": ("prometheus_client", "telemetry"),
    CLIENT: ("bench",),
}
"""The modules of each layer. A package includes its modules that are not named themselves."""
_LAYER_OF = {prefix: layer for layer, prefixes in LAYERS.items() for prefix in prefixes}


def find_layer(modules: Iterable[str]) -> str:
    """Return the layer of a stack, given as the modules of its frames, the innermost first."""
    for module in modules:
        if module == EVENT_LOOP:
            break
        if layer := layer_of(module):
            return layer
    return OTHER


@cache
def layer_of(module: str) -> str | None:
    """Return the layer that names the module or, failing that, the closest package around it."""
    while module:
        if layer := _LAYER_OF.get(module):
            return layer
        module = module.rpartition(".")[0]
    return None


def shares(samples: Mapping[str, int]) -> dict[str, float]:
    """Return the share of each layer in percent. The sum is 100, unless there are no samples."""
    total = sum(samples.values())
    return {layer: 100 * samples.get(layer, 0) / total if total else 0.0 for layer in (*LAYERS, OTHER)}
