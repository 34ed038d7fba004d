"""The metrics of this process. docs/operations.md describes each for operators.

`/metrics` shows them next to the counters of rarer events in counters.py.
"""

from telemetry.integers import Counts, Histograms, Level
from telemetry.unsent import UnsentPushes

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_ERRORS_S = (-600, -300, -120, -60, -30, -10, -5, 0, 5, 10, 30, 60, 120, 300, 600)

OTHER = "other"
"""The name of an operation in a document that this server does not list."""

requests = Counts("onsale_requests", "GraphQL operations, by name and result.", "operation", "result")
request_seconds = Histograms(
    "onsale_request_seconds", "Duration of queries and mutations, by name.", _SECONDS, "operation"
)
sockets_opened = Counts("onsale_sockets_opened", "WebSockets that were admitted.")
sockets_ended = Counts("onsale_sockets_ended", "WebSockets that have ended, by reason.", "reason")
streams_opened = Counts("onsale_event_streams_opened", "Event streams that were opened.")
streams_ended = Counts("onsale_event_streams_ended", "Event streams that have ended.")
messages_sent = Counts("onsale_messages_sent", "Payloads of subscriptions that were sent.")
messages_lagged = Counts(
    "onsale_messages_lagged", "Payloads that a newer one replaced before they were sent, because the client was slow."
)
unsent_pushes = UnsentPushes()
push_seconds = Histograms(
    "onsale_push_seconds", "Time from the hint of a change until all subscribers have got it.", _SECONDS
)
script_calls = Counts("onsale_script_calls", "Script calls that were sent to Redis, by script.", "script")
pipeline_calls = Histograms(
    "onsale_pipeline_calls", "Script calls in a pipeline.", (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
pipeline_seconds = Histograms("onsale_pipeline_seconds", "Time until all replies of a pipeline came.", _SECONDS)
holds = Counts("onsale_holds", "Requests to hold tickets, by the answer of Redis.", "result")
orders = Counts("onsale_orders", "Orders that have entered a state, by state.", "state")
worker_delay_seconds = Histograms(
    "onsale_worker_delay_seconds",
    "At most how long work waited for its worker; for admission, from a freed slot to the next call.",
    _SECONDS,
    "worker",
)
estimate_error_seconds = Histograms(
    "onsale_wait_estimate_error_seconds", "Estimated wait (p50) minus true wait, for samples of people.", _ERRORS_S
)
loop_lag_seconds = Histograms("onsale_event_loop_lag_seconds", "How late the event loop ran a timer.", _SECONDS)
process_restarts = Counts("onsale_process_restarts", "Restarts of processes that had ended, by process.", "process")
process_silences = Counts(
    "onsale_process_silences", "Scrapes that a process did not answer in half a second, by process.", "process"
)

COUNTS = (
    requests,
    sockets_opened,
    sockets_ended,
    streams_opened,
    streams_ended,
    messages_sent,
    messages_lagged,
    script_calls,
    holds,
    orders,
    process_restarts,
    process_silences,
)
HISTOGRAMS = (
    request_seconds,
    push_seconds,
    pipeline_calls,
    pipeline_seconds,
    worker_delay_seconds,
    estimate_error_seconds,
    loop_lag_seconds,
)
LEVELS = (
    Level("onsale_sockets", "WebSockets that are open.", lambda: sockets_opened.total - sockets_ended.total),
    Level("onsale_event_streams", "Event streams that are open.", lambda: streams_opened.total - streams_ended.total),
    Level(
        "onsale_oldest_unsent_push_seconds",
        "How long the oldest push has waited for its publisher or its client.",
        unsent_pushes.oldest_s,
    ),
)
