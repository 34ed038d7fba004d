--[[ Find units that the house can take off sale because no hold or order has them. Nothing is
reserved: the unique index in MongoDB decides. New units come first, starting above those that holds
will take next. Returned units follow, starting with those that holds would take last.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   epoch        of the calling recovery, or ''
ARGV[3]   tier
ARGV[4]   limit        at most 5,000, so that one call stays short
Replies   UNITS unit... | UNKNOWN_TIER tier | UNKNOWN | RECOVERING
]]
-- @include prologue capacity
local MAX_LEFT = 1000
local refusal = check_incarnation(ARGV[1], ARGV[2])
if refusal then return refusal end
local tier, limit = ARGV[3], tonumber(ARGV[4])
local stock = redis.call('HMGET', TIERS, tier .. '|top', tier .. '|withdrawn', tier .. '|capacity', tier .. '|next',
  tier .. '|held', tier .. '|sold')
if not stock[1] then return {'UNKNOWN_TIER', tier} end
local lowest, highest = '[' .. tier .. ':', '(' .. tier .. ';'
local returned = redis.call('ZLEXCOUNT', FREE, lowest, highest)
local free = stock[1] - stock[4] + 1 + returned
limit = math.min(limit, free)
local available = count_on_sale(stock[1], stock[2], stock[3], read_proposed_caps()[tier]) - stock[5] - stock[6]
-- The number of new units to leave for holds. Leaving more would also be correct, but each of them
-- would become an entry in FREE.
local left = math.max(0, math.min(available - returned, MAX_LEFT, free - limit))

local reply = {'UNITS'}
for number = stock[4] + left, math.min(tonumber(stock[1]), stock[4] + left + limit - 1) do
  reply[#reply + 1] = string.format('%s:%d', tier, number)
end
local missing = limit - #reply + 1
for _, unit in ipairs(redis.call('ZREVRANGEBYLEX', FREE, highest, lowest, 'LIMIT', 0, missing)) do
  reply[#reply + 1] = unit
end
return reply
