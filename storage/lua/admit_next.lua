--[[ Call people manually, within both caps, even while the room is paused. A repeated command gets
the same reply.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   command_key  fingerprint of person, concert, operation and idempotency key
ARGV[3]   digest       of the whole input
ARGV[4]   most         maximum number of people to call, up to 1,000
Replies   CALLED count | REPEAT  (no one called yet: the bound was used up by departed numbers)
          | CONFLICT | NOT_OPEN room_status until_ms | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries admission
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local known = redis.call('HGET', COMMANDS, ARGV[2])
if known then
  local digest, count = string.match(known, '^(.*)|(%d+)$')
  if digest ~= ARGV[3] then return {'CONFLICT'} end
  return {'CALLED', tonumber(count)}
end
local status, until_ms = room_status()
if status ~= 'OPEN' and status ~= 'PAUSED' then return {'NOT_OPEN', status, until_ms} end
-- Many departed numbers may be at the front of the queue; skipping them is cheap.
local called, is_bounded = call_next(tonumber(ARGV[4]), 10000, true)
if called == 0 and is_bounded then
  commit()
  return {'REPEAT'}
end
redis.call('HSET', COMMANDS, ARGV[2], ARGV[3] .. '|' .. called)
commit()
return {'CALLED', called}
