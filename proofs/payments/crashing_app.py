"""`python -m proofs.payments.crashing_app --seed 1 --start 1`: runs app.py, and kills itself at
random crash points, even during a purchase. The settings are those of app.py.
"""

import argparse
import functools
import runpy
from pathlib import Path
from unittest import mock

from payments import opening
from payments.saga.crash_points import CrashPoint
from payments.saga.order_payments import OrderPayments
from proofs.payments.crashes import CrashPlan

APP = Path(__file__).parents[2] / "app.py"
CHANCES = dict.fromkeys(CrashPoint, 0.02) | {
    CrashPoint.INTENT_CANCELED: 0.1,
    CrashPoint.UNITS_TAKEN: 0.5,
    CrashPoint.REFUND_CREATED: 0.1,
    CrashPoint.ORDER_UPDATED: 0.005,
    CrashPoint.STOCK_UPDATED: 0.005,
}
"""Each purchase passes the other points once, so one purchase in 17 crashes the app."""


def main() -> None:
    parser = argparse.ArgumentParser("python -m proofs.payments.crashing_app")
    for name in ("--seed", "--start"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    plan = CrashPlan(CHANCES, seed=options.seed, start=options.start)
    crashing = functools.partial(OrderPayments, reached=plan.reached)
    with mock.patch.object(opening, "OrderPayments", crashing):
        runpy.run_path(str(APP), run_name="__main__")


if __name__ == "__main__":
    main()
