--[[ Move an entry from READY to ADMITTED: the pass is claimed and its session begins. A second
claim returns the same pass.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
ARGV[3]   traceparent  of the caller, or ''
Replies   ENTRY record grace_until_ms position epoch version | NOT_CALLED position
          | NO_ENTRY | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
traceparent = ARGV[3]
local entry = read_entry(ARGV[2])
if not is_active(ARGV[2], entry) then return {'NO_ENTRY'} end
if entry.state == 'WAITING' then return {'NOT_CALLED', position_of(entry)} end
if entry.state == 'READY' then
  if is_due(entry.deadline_ms) or queue_state().is_closed then return {'NO_ENTRY'} end
  entry.state, entry.claimed_ms = 'ADMITTED', now
  entry.deadline_ms = now + tonumber(redis.call('HGET', STATE, 'session_duration_ms'))
  redis.call('ZADD', SLOTS, entry.deadline_ms, ARGV[2])
  if entry.round == queue_state().round then redis.call('HINCRBY', STATE, 'passes_issued', 1) end
  count_flow(entry, 'claimed')
  append_event('claimed', ARGV[2], entry.id, entry.round)
  write_entry(ARGV[2], entry)
  commit()
end
return entry_reply('ENTRY', ARGV[2], entry)
