--[[ Count an attempt within a time window, and refuse it above the limit. Refused attempts count
too.
KEYS      rate
ARGV[1]   limit      maximum number of attempts in a window
ARGV[2]   window_ms  length of the window, which starts with the first attempt
Replies   ALLOWED | RATE_LIMITED retry_after_ms
]]
local tries = redis.call('INCR', KEYS[1])
if tries == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if tries > tonumber(ARGV[1]) then return {'RATE_LIMITED', redis.call('PTTL', KEYS[1])} end
return {'ALLOWED'}
