--[[ Remember that a session, or a token, of the development issuer has ended.
KEYS      ended sessions
ARGV[1]   id       the session or the token
ARGV[2]   kept_ms  time for which it is remembered
ARGV[3]   most     maximum number that is remembered; those that ended first are forgotten
Replies   ENDED
]]
local id, kept_ms, most, clock = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
redis.call('ZADD', KEYS[1], now_ms + kept_ms, id)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -most - 1)
redis.call('PEXPIRE', KEYS[1], kept_ms)
return {'ENDED'}
