--[[ Count a call that belongs to no concert, unless it exceeds its rate (GCRA). A refused call is
not counted.
KEYS      rate
ARGV[1]   count      maximum number of calls in a burst
ARGV[2]   window_ms  time in which the whole burst is allowed again
Replies   ALLOWED | RATE_LIMITED retry_after_ms
]]
local window_ms = tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local full_ms = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0')) + window_ms / tonumber(ARGV[1])
local wait_ms = full_ms - now - window_ms
-- Less than a millisecond is a rounding error of the interval.
if wait_ms >= 1 then return {'RATE_LIMITED', math.ceil(wait_ms)} end
redis.call('SET', KEYS[1], full_ms, 'PX', math.ceil(full_ms - now))
return {'ALLOWED'}
