--[[ Look whether one of these sessions and tokens of the development issuer has ended.
KEYS      ended sessions
ARGV[1*]  id  the sessions and tokens
Replies   ENDED | ACTIVE
]]
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
for number = 1, #ARGV do
  local until_ms = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[number]) or 0)
  if until_ms > now_ms then return {'ENDED'} end
end
return {'ACTIVE'}
