--[[ One run of the expiry worker: end what is due, and give every key made since the last run its day of expiry.
A run after a gap of more than five seconds ends nothing: it grants everybody the grace of a lost connection.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   limit        the most holds to end in this run
Replies   EXPIRED count | UNKNOWN | RECOVERING
]]
-- @include enter change
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
if now - worker_ms > WORKER_GAP_MS then
  grace_until_ms = math.max(grace_until_ms, now + tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms')))
  redis.call('HSET', STATE, 'grace_until_ms', grace_until_ms)
end
redis.call('HSET', STATE, 'worker_ms', now, 'now_ms', now)
worker_ms = now
local expire_at_ms = redis.call('HGET', STATE, 'expire_at_ms')
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, expire_at_ms, 'NX') end
if now < grace_until_ms then return {'EXPIRED', 0} end

local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do end_hold(id, read_hold(id), 'EXPIRED') end
if #due > 0 then changed() end
return {'EXPIRED', #due}
