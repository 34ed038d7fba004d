--[[ Join the queue. A person who already has an active entry keeps it. Before a lottery, the order
of joining determines only the lot. The first join after the opening time ends the registrations.
Only a call that would create an entry needs a proof of work and counts toward the rates.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
ARGV[3]   address   of the caller, or ''
ARGV[4]   rates     see lib/rates.lua
ARGV[5]   proof_ms  when the solved challenge expires; 0 if none was solved, '' if none is needed
ARGV[6]   traceparent  of the caller, or ''
Replies   ENTRY record grace_until_ms position epoch version
          | NOT_OPEN room_status until_ms
          | CHALLENGE_REQUIRED  (no challenge was solved, or it was used before)
          | RATE_LIMITED scope retry_after_ms | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries rates
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
traceparent = ARGV[6]
local person, room = ARGV[2], queue_state()
local status, until_ms = room_status()
if status == 'SUSPENDED' or status == 'CLOSED' then return {'NOT_OPEN', status, until_ms} end
local entry = read_entry(person)
local alive_until_ms = now + tonumber(redis.call('HGET', STATE, 'heartbeat_timeout_ms'))
if is_active(person, entry) then
  if entry.state == 'WAITING' and not is_present(entry) then
    extend_presence(person, entry, alive_until_ms)
    write_entry(person, entry)
    commit()
  end
  return entry_reply('ENTRY', person, entry)
end
if status == 'REJECTING' or status == 'SCHEDULED' then return {'NOT_OPEN', status, until_ms} end
local proof_ms, last_proof_ms = tonumber(ARGV[5]), entry and entry.proof_ms
-- A challenge can be used once: it must be newer than the last one the person joined with.
if proof_ms and proof_ms <= (last_proof_ms or 0) then return {'CHALLENGE_REQUIRED'} end
local scope, retry_after_ms = count_call('join', person, ARGV[3], ARGV[4])
if scope then return {'RATE_LIMITED', scope, retry_after_ms} end

-- A call that ended with an earlier sale may still occupy its slot.
if entry and is_called_over(person, entry) then end_entry(person, entry, 'SALE_OVER') end
if room.has_lottery == 1 and not room.is_opened and not room.frozen and now >= room.opens_ms then
  -- No one who joins at the opening or later takes part in the draw, however late the worker runs.
  room.frozen = room.tail
  redis.call('HSET', STATE, 'frozen', room.frozen)
end
local number = redis.call('HINCRBY', STATE, 'tail', 1)
entry = {id = room.base + number, round = room.round, state = 'WAITING', joined_ms = now,
  presence = entry and entry.presence or nil, proof_ms = proof_ms or last_proof_ms or nil}
if not room.is_opened and not room.frozen then
  -- The digest commits to who registered and when: if a lot is changed later, the digest no longer
  -- matches.
  local digest = (redis.call('HGET', STATE, 'digest') or '') .. person .. string.format('%d', now)
  redis.call('HSET', STATE, 'digest', redis.sha1hex(digest))
end
redis.call('HSET', WAITERS, entry.id, person)
if is_present(entry) then entry.deadline_ms = alive_until_ms else extend_presence(person, entry, alive_until_ms) end
count_flow(entry, 'joined', 'joined')
append_event('joined', person, entry.id, entry.round)
write_entry(person, entry)
commit()
return entry_reply('ENTRY', person, entry)
