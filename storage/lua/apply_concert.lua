--[[ Copy what MongoDB says of a concert; only ever forward. Creates the concert's state, not yet to be believed.
KEYS      of the concert, in the order of keys.py
ARGV[1]   version       of the concert in MongoDB
ARGV[2]   expire_at_ms  unix time at which every key of the concert goes
ARGV[3]   settings      JSON object of state fields: sale, limits, room
ARGV[4*]  tier, top, price_minor  three a tier
Replies   APPLIED | CURRENT version
]]
local known = tonumber(redis.call('HGET', KEYS[1], 'concert_version') or '-1')
if known >= tonumber(ARGV[1]) then return {'CURRENT', known} end
if known == -1 then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  redis.call('HSET', KEYS[1], 'incarnation', '', 'epoch', 0, 'version', 0, 'now_ms', now, 'worker_ms', now,
    'grace_until_ms', 0, 'serving', 0, 'tail', 0, 'passes_issued', 0)
end
redis.call('HSET', KEYS[1], 'concert_version', ARGV[1], 'expire_at_ms', ARGV[2])
for field, value in pairs(cjson.decode(ARGV[3])) do redis.call('HSET', KEYS[1], field, value) end
for index = 4, #ARGV, 3 do
  local tier = ARGV[index]
  redis.call('HSET', KEYS[2], tier .. '|top', ARGV[index + 1], tier .. '|price', ARGV[index + 2])
  redis.call('HSETNX', KEYS[2], tier .. '|next', 1)
  for _, counter in ipairs({'held', 'sold', 'withdrawn'}) do redis.call('HSETNX', KEYS[2], tier .. '|' .. counter, 0) end
end
redis.call('HINCRBY', KEYS[1], 'version', 1)
for _, topic in ipairs({'stock', 'line'}) do
  redis.call('HSET', KEYS[1], 'hinted_' .. topic, 1)
  redis.call('PUBLISH', string.gsub(KEYS[1], 'state$', 'hints'), topic)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[2]) end
return {'APPLIED'}
