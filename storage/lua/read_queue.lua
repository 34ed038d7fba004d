--[[ Read the queue at one version: the waiting room, the numbers called and departed, and the flow
counts.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
Replies   QUEUE {epoch version concert_version round serving tail departed slots_taken passes_issued
          room_status opened_ms grace_until_ms now_ms is_over over_id [name count]...}  (departed:
          bytes of the bit string, starting at the one with the serving number; opened_ms: '' before
          the opening; over_id: the highest entry id that ended with its sale, or 0; name: a flow
          count) | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state snapshots
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
return {'QUEUE', queue_fields(departed_bits())}
