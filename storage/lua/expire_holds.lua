--[[ One run of the expiry worker: end holds that are due, and all holds of a canceled concert that
are not being bought; remove rates that no longer limit anyone, and set the expiry time of every key
created since the last run. A run after a gap of more than five seconds ends no due holds; instead,
it grants all people the grace period for lost connections.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   limit        maximum number of holds to end in this run
Replies   EXPIRED count is_active  (is_active: something can expire) | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify
local MAX_RATES_REMOVED = 2000
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local was_gap = not is_idle and now - worker_ms > WORKER_GAP_MS
if was_gap then
  grace_until_ms = math.max(grace_until_ms, now + tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms')))
  redis.call('HSET', STATE, 'grace_until_ms', grace_until_ms)
end
redis.call('HSET', STATE, 'worker_ms', now, 'now_ms', now)
worker_ms = now
local expire_at_ms = redis.call('HGET', STATE, 'expire_at_ms')
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, expire_at_ms, 'NX') end

local past_rates = redis.call('ZCOUNT', RATES, '-inf', now * 1000)
if past_rates > 0 then redis.call('ZREMRANGEBYRANK', RATES, 0, math.min(past_rates, MAX_RATES_REMOVED) - 1) end

local is_cancelled, due = redis.call('HGET', STATE, 'status') == 'CANCELLED', {}
if is_cancelled or is_counting() then
  due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', is_cancelled and '+inf' or now, 'LIMIT', 0, ARGV[2])
end
for _, id in ipairs(due) do end_hold(id, read_hold(id), is_cancelled and 'CONCERT_CANCELLED' or 'EXPIRED') end
-- A grace period extends every deadline, even though no record is written.
if was_gap or #due > 0 then commit() end
local pending = 0
for _, key in ipairs({DEADLINES, BUYING, SLOTS, PRESENCE_DEADLINES, LEASES}) do pending = pending + redis.call('ZCARD', key) end
-- If there are no deadlines, no worker needs to run; the first new deadline wakes the workers.
if pending == 0 then redis.call('HSET', STATE, 'is_idle', '1') end
return {'EXPIRED', #due, pending > 0 and 1 or 0}
