--[[ The stock of every tier at one version. Looking lets the next change hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
Replies   STOCK epoch version [tier capacity held sold]... | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted_stock')
local reply = {'STOCK', unpack(redis.call('HMGET', STATE, 'epoch', 'version'))}
local fields, counters = redis.call('HGETALL', TIERS), {}
for index = 1, #fields, 2 do counters[fields[index]] = fields[index + 1] end
for field, top in pairs(counters) do
  local tier = string.match(field, '^(.*)|top$')
  if tier then
    reply[#reply + 1] = tier
    reply[#reply + 1] = top - counters[tier .. '|withdrawn']
    reply[#reply + 1] = counters[tier .. '|held']
    reply[#reply + 1] = counters[tier .. '|sold']
  end
end
return reply
