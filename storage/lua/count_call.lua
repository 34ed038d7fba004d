--[[ Count a call that belongs to no concert, unless it exceeds its rate (GCRA). A refused call is
not counted. The key stores the time at which the whole burst is allowed again, unix µs.
KEYS      rate
ARGV[1]   count      maximum number of calls in a burst
ARGV[2]   window_ms  time in which the whole burst is allowed again
Replies   ALLOWED | RATE_LIMITED retry_after_ms
]]
local window_us, clock = ARGV[2] * 1000, redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local full_us = math.max(now_us, tonumber(redis.call('GET', KEYS[1]) or 0)) + math.floor(window_us / ARGV[1])
local wait_us = full_us - now_us - window_us
if wait_us > 0 then return {'RATE_LIMITED', math.ceil(wait_us / 1000)} end
redis.call('SET', KEYS[1], string.format('%d', full_us), 'PX', math.ceil((full_us - now_us) / 1000))
return {'ALLOWED'}
