"""The counters of this process, which `/metrics` shows in Prometheus format.

Labels come from fixed sets of values, so their number is bounded.
"""

from prometheus_client import Counter

refused = Counter("onsale_refusals", "Requests and operations that were refused, by error code.", ["code"])
rate_limited = Counter("onsale_rate_limited", "Calls that exceeded a rate limit, by kind of call.", ["call"])
payment_webhooks = Counter("onsale_payment_webhooks", "Payment webhooks, by outcome.", ["outcome"])
payment_events = Counter(
    "onsale_payment_events", "Attempts to apply an event from the payment inbox, by outcome.", ["outcome"]
)
reconciled = Counter("onsale_reconciled", "What the reconciliation compared and repaired, by kind.", ["kind"])
alarms = Counter("onsale_alarms", "Alarms, by name. docs/runbook.md explains each.", ["alarm"])
mails = Counter("onsale_mails", "Attempts to send a mail, by outcome.", ["outcome"])
metrics_left_out = Counter(
    "onsale_metrics_left_out", "Times that metrics could not be shown and were left out, by name.", ["metric"]
)
