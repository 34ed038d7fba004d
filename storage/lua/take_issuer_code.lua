--[[ Take an authorization code. It is taken once. It is then kept for some time, so that a replay
can be told from an unknown code.
KEYS      code
ARGV[1]   taker    identifies this attempt, so that repeating the call does not change its answer
ARGV[2]   kept_ms  time for which the taken code is kept
Replies   TAKEN record | REPLAYED record | NO_CODE
]]
local taker, kept_ms = ARGV[1], ARGV[2]
local record = redis.call('HGET', KEYS[1], 'record')
if not record then return {'NO_CODE'} end
if redis.call('HSETNX', KEYS[1], 'taker', taker) == 1 then
  redis.call('PEXPIRE', KEYS[1], kept_ms)
  return {'TAKEN', record}
end
if redis.call('HGET', KEYS[1], 'taker') == taker then return {'TAKEN', record} end
return {'REPLAYED', record}
