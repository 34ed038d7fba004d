--[[ The stock of every tier at one version.
KEYS[1..9]  state tiers units free holds deadlines buying people purchases
ARGV[1]   incarnation  the one this connection saw
Replies   STOCK epoch version [tier capacity held sold]... | UNKNOWN | RECOVERING
]]
-- @include enter
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
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
