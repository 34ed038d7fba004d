--[[ The first step in opening a queue by lottery: fix the registrations, unless a late join has
already done so. People who join from now on are queued behind them. A repeated call gets the same
reply.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   round
Replies   FROZEN registrations digest | OPEN | TOO_EARLY | STALE | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local room = queue_state()
if room.round ~= tonumber(ARGV[2]) then return {'STALE'} end
if room.opened_ms then return {'OPEN'} end
if room.has_lottery ~= 1 then return {'STALE'} end
if now < room.opens_ms then return {'TOO_EARLY'} end
if not room.frozen then
  room.frozen = room.tail
  redis.call('HSET', STATE, 'frozen', room.tail, 'now_ms', now)
end
return {'FROZEN', room.frozen, redis.call('HGET', STATE, 'digest') or ''}
