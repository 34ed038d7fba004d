"""The limits of a process, from its settings. `Settings.process_limit` has its share of those per
address.
"""

from dataclasses import fields

from domain.limits.operations import OperationLimits
from domain.limits.rates import CallRates, Rate, RateLimits
from settings import LimitSettings
from subscriptions.sockets.limits import Limits


def make_rate_limits(limit: LimitSettings) -> RateLimits:
    def rates(per_person: tuple[int, int] | None, per_address: tuple[int, int] | None) -> CallRates:
        return CallRates(per_person and Rate(*per_person), per_address and Rate(*per_address))

    return RateLimits(
        joins=rates(limit.joins_per_person, limit.joins_per_address),
        holds=rates(limit.holds_per_person, limit.holds_per_address),
        purchases=rates(limit.purchases_per_person, limit.purchases_per_address),
        hold_requests=rates(limit.hold_requests_per_person, limit.hold_requests_per_address),
        payment_syncs=rates(limit.payment_syncs_per_person, limit.payment_syncs_per_address),
        transfers=rates(limit.transfers_per_person, limit.transfers_per_address),
        check_ins=rates(limit.check_ins_per_person, limit.check_ins_per_address),
    )


def make_operation_limits(limit: LimitSettings) -> OperationLimits:
    return OperationLimits(**{field.name: getattr(limit, field.name) for field in fields(OperationLimits)})


def make_socket_limits(limit: LimitSettings) -> Limits:
    return Limits(
        streams=limit.streams,
        streams_per_address=limit.streams_per_address,
        streams_per_person=limit.streams_per_person,
        operations_per_socket=limit.operations_per_socket,
        message_bytes=limit.message_bytes,
        messages_per_s=limit.messages_per_second,
        messages_burst=limit.messages_burst,
    )
