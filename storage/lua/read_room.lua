--[[ Read the waiting room at one version: its counts and its flow, without the departed numbers.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
Replies   ROOM {epoch version concert_version round serving tail waiting_count slots_taken
          passes_issued room_status opened_ms grace_until_ms now_ms is_over over_id [name count]...}
          (opened_ms: '' before the opening; over_id: the highest entry id that ended with its sale,
          or 0; name: a flow count) | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state capacity snapshots
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
return {'ROOM', queue_fields(waiting_count())}
