"""The sections of docs/performance.md that are rendered from results, and their charts."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.report.charts import Bar, Panel, draw_bars
from bench.report.goals import render_goals
from bench.report.tables import NO_VALUE, kib, number, spread, table, title_of

Results = Mapping[str, Any]
"""What the files in bench/results contain, by their names without suffix."""

RESULTS = ("fanout", "hold", "hold_layers", "memory", "mixed", "operations_cpu", "pages", "queue")
_TARGETS = {"hold_layers": "layers", "operations_cpu": "operations"}
"""The sections and commands whose names differ from those of their results."""
SPREAD_NOTE = "Medians of the rounds; lines show the smallest and the largest value."
_FANOUT_CHARTS = {
    "deliveries_per_s": ("fanout", "Deliveries per second, one core for the server"),
    "p99_ms": ("fanout-p99", "From a change to its delivery, p99 in ms (less is better)"),
    "kib_per_socket_loaded": ("fanout-memory", "KiB of the server per socket, after load (less is better)"),
}
_QUEUE_FIGURES = {
    "positions_per_s": "Positions per second, all of them changing constantly, to 5,000 sockets",
    "position_cpu_us": "CPU time of the server per position, in microseconds",
    "positions_of_limit": "Positions per second / frames per second of a server that does nothing else",
    "price_p50_ms": "From a new price to the person in the queue who receives it, p50 in ms",
    "price_p99_ms": "The same, p99 in ms",
}
_FILES = ("script", "style")
_PUSH_FIGURES = {
    "push_p50_ms": "From the request, p50",
    "push_p99_ms": "The same, p99",
    "push_max_ms": "The same, the slowest",
    "push_from_answer_p99_ms": "From the answer, p99",
}


def render_sections(results: Results) -> dict[str, str]:
    """Return the Markdown of each section. A section without results says how to get them."""
    renderers: dict[str, Callable[[Any], str]] = {
        "fanout": _render_fanout,
        "hold": _render_hold,
        "hold_layers": _render_layers,
        "memory": _render_memory,
        "mixed": _render_mixed,
        "operations_cpu": _render_operations,
        "pages": _render_pages,
        "queue": _render_queue,
    }
    sections = {"goals": render_goals(results)}
    for name, render in renderers.items():
        section = render(results[name]) if name in results else f"There is no result yet. {_how(name)}"
        sections[_TARGETS.get(name, name)] = section
    return sections


def render_charts(results: Results) -> dict[str, str]:
    """Return the charts by their names without suffix. Without results, there is no chart."""
    charts = {}
    if "fanout" in results:
        for figure, (name, title) in _FANOUT_CHARTS.items():
            panels = _panels(_pushed(results["fanout"]), figure, "sockets")
            charts[name] = draw_bars(title, SPREAD_NOTE, panels)
    if "hold" in results:
        panels = _panels(_split_loads(results["hold"])[0], "holds_per_s", "connections")
        charts["hold"] = draw_bars("Holds per second, one core for the server", SPREAD_NOTE, panels)
    return charts


def _how(name: str) -> str:
    return f"`make bench-{_TARGETS.get(name, name)}` writes `bench/results/{name}.json`."


def _panels(rows: Sequence[Mapping[str, Any]], figure: str, size: str) -> list[Panel]:
    """Return a panel for each size, with the servers that have the figure, the best first."""
    best_first = -1 if figure.endswith("_per_s") else 1
    measured = [row for row in rows if figure in row]
    panels = []
    for value in sorted({row[size] for row in measured}):
        of_size = [row for row in measured if row[size] == value]
        of_size.sort(key=lambda row: best_first * float(row[figure]["median"]))
        panels.append(Panel(f"{value:,} {size}", tuple(_bar(row, row[figure]) for row in of_size)))
    return panels


def _bar(row: Mapping[str, Any], figure: Mapping[str, float]) -> Bar:
    label = _label(row).replace("*", "")
    kind = "own" if row["server"].startswith("onsale") else "limit" if label.startswith("limit:") else ""
    return Bar(label, figure["median"], figure["min"], figure["max"], kind)


def _label(row: Mapping[str, Any]) -> str:
    """Return the name of a server, with the kind of its ids if it is measured with several."""
    return title_of(row["server"]) + (", UUID ids" if row.get("kind") == "uuid" else "")


def _render_fanout(result: Mapping[str, Any]) -> str:
    parts = [
        _describe(result),
        "![Deliveries per second of each server](charts/fanout.svg)",
        "![The p99 latency of each server](charts/fanout-p99.svg)",
        "![The memory of each server per socket](charts/fanout-memory.svg)",
    ]
    head = ("Server", "Deliveries/s", "p50 ms", "p99 ms", "Reach", "KiB/socket", "after load", "CPU")
    figures = ("deliveries_per_s", "p50_ms", "p99_ms", "reach", "kib_per_socket", "kib_per_socket_loaded")
    for sockets in sorted({row["sockets"] for row in _pushed(result)}):
        rows = _sorted([row for row in _pushed(result) if row["sockets"] == sockets], "deliveries_per_s")
        cells = [[_label(row), *_figures(row, figures), _cpu(row)] for row in rows]
        parts += [f"**{sockets:,} sockets**", table(head, cells)]
    return "\n\n".join(parts + _describe_churn(result) + _describe_peers(result))


def _pushed(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [row for row in result["rows"] if "deliveries_per_s" in row]


def _describe_churn(result: Mapping[str, Any]) -> list[str]:
    """Return a table of how fast subscriptions are started and completed."""
    rows = _sorted([row for row in result["rows"] if "churn_per_s" in row], "churn_per_s")
    if not rows:
        return []
    head = ("Subscriptions started and completed", "Per second", "p50 ms", "p99 ms", "CPU")
    cells = [[_label(row), *_figures(row, ("churn_per_s", "p50_ms", "p99_ms")), _cpu(row)] for row in rows]
    return [f"**{rows[0]['sockets']:,} sockets, each with one subscription after another**", table(head, cells)]


def _sorted(rows: Sequence[Mapping[str, Any]], figure: str) -> list[Mapping[str, Any]]:
    """Return the rows with the largest median first."""
    return sorted(rows, key=lambda row: -float(row[figure]["median"]))


def _figures(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [spread(row, name) for name in names]


def _cpu(row: Mapping[str, Any]) -> str:
    """Return the shares of a core that the processes used."""
    shares = [f"{name} {share:.2f}" for name, share in row.get("cpu", {}).items()]
    return ", ".join(shares) or NO_VALUE


def _describe_peers(result: Mapping[str, Any]) -> list[str]:
    """Return a table of the other servers, and a line for each that was not measured."""
    rows = []
    for name, facts in result.get("peers", {}).items():
        versions = ", ".join(f"{part} {version}" for part, version in facts["versions"].items())
        rows.append((title_of(name), facts["about"], versions or NO_VALUE))
    parts = [table(("Server", "What it is", "Versions"), rows)] if rows else []
    missing = {**result.get("skipped", {}), **result.get("failed", {})}
    return parts + [_wrap(f"- {title_of(name)} was not measured: {reason}.") for name, reason in missing.items()]


def _render_hold(result: Mapping[str, Any]) -> str:
    compared, others = _split_loads(result)
    parts = [_describe(result), "![Holds per second of each server](charts/hold.svg)"]
    parts.append(_hold_table("Server", [(_label(row), row) for row in compared]))
    if others:
        alike = [row for row in compared if row["server"] == "onsale-pass"]
        parts.append("**Onsale, with a queue pass and other loads**")
        parts.append(_hold_table("Load", [(row.get("load", "the same as above"), row) for row in alike + others]))
    return "\n\n".join(parts + _describe_peers(result))


def _split_loads(result: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Return the rows that compare servers, and those of Onsale with other loads."""
    rows = result["rows"]
    return [row for row in rows if "load" not in row], [row for row in rows if "load" in row]


def _hold_table(what: str, labeled: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Return a table of holds, by connections and then with the fastest first."""
    figures = ("holds_per_s", "p50_ms", "p99_ms")
    rows = sorted(labeled, key=lambda one: (one[1]["connections"], -float(one[1]["holds_per_s"]["median"])))
    cells = [[label, number(row["connections"]), *_figures(row, figures), _cpu(row)] for label, row in rows]
    return table((what, "Connections", "Holds/s", "p50 ms", "p99 ms", "CPU"), cells)


def _render_layers(result: Mapping[str, Any]) -> str:
    """Return a table with the microseconds and the percentage of each layer, the largest first."""
    servers = [row["server"] for row in result["rows"]]
    head = ["Layer of a hold", *(cell for server in servers for cell in (f"{title_of(server)}, µs", "%"))]
    cells = [["all", *(cell for row in result["rows"] for cell in (spread(row, "cpu_us"), "100"))]]
    for one in sorted(result["layers"], key=lambda one: -float(one["us"][servers[0]])):
        figures = [number(one[figure][server]) for server in servers for figure in ("us", "percent")]
        cells.append([one["layer"], *figures])
    samples = " and ".join(number(row["samples"]) for row in result["rows"])
    holds = f"- Holds per round: {number(result['holds'])}, on {result['connections']} connections; samples: {samples}."
    return f"{_describe(result)}\n{_wrap(holds)}\n\n{table(head, cells)}"


def _render_operations(result: Mapping[str, Any]) -> str:
    head = ("Operation", "Without, µs", "With, µs", "Ratio")
    cells = [[row["operation"], *_figures(row, ("before_us", "after_us", "ratio"))] for row in result["rows"]]
    settings = ", ".join(f"`{name}={value}`" for name, value in result["without"].items())
    described = _wrap(f"- Without: {settings}. With: these settings have their defaults.")
    people = f"- People per round: {number(result['people'])}, on {result['connections']} connections."
    return f"{_describe(result)}\n{described}\n{people}\n\n{table(head, cells)}"


def _render_memory(result: Mapping[str, Any]) -> str:
    figures = ("kib_per_socket", "kib_per_socket_loaded", "kib_left_per_closed_socket", "kib_per_socket_reopened")
    head = ("Sockets", "People", "KiB/socket, subscribed", "after changes", "left when closed", "opened again")
    people = {"shared": "500", "own": "one per socket"}
    cells = [[number(row["sockets"]), people[row["people"]], *_figures(row, figures)] for row in result["rows"]]
    return f"{_describe(result)}\n\n{table(head, cells)}"


def _render_mixed(result: Mapping[str, Any]) -> str:
    figures = ("holds_per_s", "hold_p50_ms", "hold_p99_ms", "deliveries_per_s", "pushes_per_socket_per_s")
    head = ("Connections", "Sockets", "Holds/s", "p50 ms", "p99 ms", "Deliveries/s", "Pushes/s per socket", "CPU")
    cells = []
    for row in sorted(result["rows"], key=lambda row: (row["connections"], row["part"])):
        sockets = "none" if row["part"] == "alone" else number(result["sockets"])
        cells.append([number(row["connections"]), sockets, *_figures(row, figures), _cpu(row)])
    return f"{_describe(result)}\n\n{table(head, cells)}"


def _render_pages(result: Mapping[str, Any]) -> str:
    names = ("performance", "accessibility", "best_practices", "largest_contentful_paint_ms", "blocked_ms")
    head = ("Page", "Form", "Performance", "Accessibility", "Best practices", "LCP in ms", "Blocked ms", "CLS")
    cells = [[row["page"], row["form"], *_figures(row, (*names, "layout_shift"))] for row in result["rows"]]
    sizes = [[page, *(kib(files[kind]) for kind in _FILES)] for page, files in result["sizes"].items()]
    pushes = f"{number(result['pushes'])} changes, {number(result['sockets'])} other sockets"
    times = [(what, number(result[name])) for name, what in _PUSH_FIGURES.items()]
    return "\n\n".join(
        (
            _describe(result),
            table(head, cells),
            table(("Page", "KiB of script", "KiB of styles"), sizes),
            table((f"From a change to the pixel, in ms ({pushes})", "Measured"), times),
        )
    )


def _render_queue(result: Mapping[str, Any]) -> str:
    rows = [(what, number(result[name])) for name, what in _QUEUE_FIGURES.items() if name in result]
    return table(("What", "Measured"), rows)


def _describe(result: Mapping[str, Any]) -> str:
    """Return a paragraph that says where, when and with what a result was measured."""
    machine, interpreter = result["machine"], result["interpreter"]
    settings: Mapping[str, str] = result["settings"]
    shown = [f"`{name}={value}`" for name, value in settings.items() if value != "off"]
    rates = "; no call is limited by a rate" if "off" in settings.values() else ""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    flags = interpreter["config_args"]
    configured = f"configured with `{flags}`" if flags else "configured with the defaults"
    lines = (
        f"- Measured {result['date'][:10]}, commit {result['commit']}, rounds: {result['rounds']}.",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}.",
        f"- Interpreter: {interpreter['implementation']} {interpreter['version']}, {interpreter['compiler']};"
        f" a million additions take {interpreter['loop_ms']} ms; {configured}.",
        f"- Versions: {versions}.",
        f"- Settings: {', '.join(shown) or 'the defaults'}{rates}.",
    )
    return "\n".join(_wrap(line) for line in lines)


def _wrap(item: str) -> str:
    """Break an item of a list into lines of at most 100 columns."""
    return "\n".join(textwrap.wrap(item, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
