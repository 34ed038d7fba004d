"""`python app.py` with several processes: one port, one supervisor, and no gap when one ends."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from proofs.processes.proof import Plan, Site, prove
from settings import Settings
from storage.embedded.ports import accepts_connections
from tests.support.application import Application, started
from tests.support.many_processes import ManyProcesses, suspended
from tests.support.waiting import wait_until
from web.health import LEAVING

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG_S = 300
"""So long that the test, however slow, does not see the end of it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ManyProcesses]:
    """An application with embedded stores that no test stops."""
    unlimited = {f"LIMIT_{call}_PER_ADDRESS": "off" for call in ("JOINS", "HOLDS", "HOLD_REQUESTS")}
    async with started(ManyProcesses(tmp_path_factory.mktemp("processes") / "onsale", **unlimited)) as made:
        yield made


async def all_run(application: ManyProcesses, *, without: set[int]) -> bool:
    pids = [*application.servers(), *application.workers()]
    if len(pids) != 3 or without & {*pids}:
        return False
    metrics = await application.read_metrics()
    return all(metrics[f"onsale_process_up{name}"] == 1 for name in ("server-1", "server-2", "workers"))


async def test_each_server_process_answers_alone_at_the_same_port(application: ManyProcesses) -> None:
    first, second = application.servers()
    for other in (first, second):
        with suspended(other):
            assert (await application.get("/readyz")).status_code == 200


@pytest.mark.parametrize("kind", ["servers", "workers"])
async def test_killed_child_is_restarted_while_others_serve(application: ManyProcesses, kind: str) -> None:
    victim = getattr(application, kind)()[0]
    os.kill(victim, signal.SIGKILL)
    await wait_until(lambda: all_run(application, without={victim}), timeout=180, what="a new process")
    assert f"(process {victim}) ended with -9; restarting it" in application.output
    assert (await application.get("/readyz")).status_code == 200


async def test_hanging_process_does_not_stop_a_scrape(application: ManyProcesses) -> None:
    before = await application.read_metrics()
    silences = "onsale_process_silences_total"
    metrics: dict[str, float] = {}

    async def only_one_is_up() -> bool:
        metrics.update(await application.read_metrics())
        return sum(metrics[f"onsale_process_upserver-{number}"] for number in (1, 2)) == 1

    with suspended(application.servers()[0]):
        # On a busy machine, the other one may need more than one scrape.
        await wait_until(only_one_is_up, timeout=180, what="an answer of the other process")
    hanging = "server-1" if metrics["onsale_process_upserver-1"] == 0 else "server-2"
    assert metrics[f"{silences}{hanging}"] > before[f"{silences}{hanging}"]
    assert metrics["onsale_sockets_opened_total"] >= before["onsale_sockets_opened_total"]


async def test_replacement_loses_no_request_no_socket_and_no_place(application: ManyProcesses) -> None:
    issuer = Settings(port=application.port or 0).issuer
    site = Site(application.url, issuer, application.process.pid, application.metrics_url, processes=2)
    outcome = await prove(site, Plan(sockets=20, in_queue=5, holds_per_s=10, kills=False))
    assert [*outcome.violations()] == []
    assert outcome.phases[0].lost_sockets.total() >= 20
    assert "all processes have been replaced" in application.output


async def test_leaving_servers_are_all_unready_but_serve(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    async with started(ManyProcesses(tmp_path / "onsale", DRAIN_S=LONG_S, **stores)) as application:
        first, second = application.servers()
        application.process.send_signal(signal.SIGTERM)

        async def is_leaving() -> bool:
            answer = await application.get("/readyz")
            return answer.status_code == 503 and answer.json()["problems"] == [LEAVING]

        for other in (first, second):
            with suspended(other):
                await wait_until(is_leaving, what="the announcement")
                assert (await application.get("/livez")).status_code == 200
        assert await application.end() == 0
        assert "Traceback" not in application.output


async def test_killed_supervisor_leaves_no_child_and_no_store(tmp_path: Path) -> None:
    async with started(ManyProcesses(tmp_path / "onsale")) as application:
        holders = [application.store_holder(name) for name in ("valkey", "mongod")]
        children = [*application.servers(), *application.workers(), *(holder.pid for holder in holders if holder)]
        assert len(children) == 5
        assert await application.end(signal.SIGKILL) == -signal.SIGKILL
        await wait_until(lambda: not any(map(is_alive, children)), what="the end of the children")
        port = application.port
        assert port is not None
        # The threads of a killed process may end a moment later.
        await wait_until(lambda: not accepts_connections(port), what="the end of the port")


def is_alive(pid: int) -> bool:
    """Return whether the process runs. Where no process collects orphans, an ended one may stay as
    a zombie.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("setting", ["TICKET_KEY_FILES", "PASS_KEY_FILE"])
@pytest.mark.parametrize("content", ["not a key", None])
async def test_wrong_key_ends_the_start_before_any_process_starts(
    tmp_path: Path, setting: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    stores = {"REDIS_URL": "redis://127.0.0.1:1", "MONGO_URL": "mongodb://127.0.0.1:1/?replicaSet=onsale"}
    application = ManyProcesses(tmp_path / "onsale", **{setting: tmp_path / "key"}, **stores)
    await application.start()
    assert await application.ended() == 1
    assert f"Onsale cannot start: ONSALE_{setting}: {tmp_path / 'key'} " in application.output
    assert application.output.count("\n") == 1


async def test_uvicorn_workers_with_a_metrics_port_end_with_a_clear_line(
    tmp_path: Path, valkey_url: str, mongo_url: str, mongo_database: str
) -> None:
    stores = {"REDIS_URL": valkey_url, "MONGO_URL": mongo_url, "MONGO_DATABASE": mongo_database}
    application = ManyProcesses(tmp_path / "onsale", PROCESSES=1, **stores)
    application.command = ("-m", "uvicorn", "app:app", "--workers", "2", "--port", str(application.port))
    await application.start()
    await application.ended()
    line = "run `python app.py` with ONSALE_PROCESSES"
    assert f"Processes of `uvicorn --workers` cannot share it: {line}" in application.output
    assert "Traceback" not in application.output


async def test_metrics_of_several_processes_need_their_port(application: Application) -> None:
    assert (await application.get("/metrics")).status_code == 404
