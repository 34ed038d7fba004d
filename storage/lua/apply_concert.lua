--[[ Copy what MongoDB says of a concert; only ever forward. Creates the concert's state, not yet to be believed.
KEYS[1..9]  state tiers units free holds deadlines buying people purchases
ARGV[1]   version           of the concert in MongoDB
ARGV[2]   status            PUBLISHED | CLOSED
ARGV[3]   sales_start_ms    unix time
ARGV[4]   sales_end_ms      unix time
ARGV[5]   limit_per_order   tickets
ARGV[6]   limit_per_person  tickets
ARGV[7]   hold_ms           life of a hold
ARGV[8]   expire_at_ms      unix time at which every key of the concert goes
ARGV[9*]  tier, top, price_minor  three a tier
Replies   APPLIED | CURRENT version
]]
local known = tonumber(redis.call('HGET', KEYS[1], 'concert_version') or '-1')
if known >= tonumber(ARGV[1]) then return {'CURRENT', known} end
if known == -1 then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  redis.call('HSET', KEYS[1], 'incarnation', '', 'epoch', 0, 'version', 0, 'now_ms', now, 'worker_ms', now,
    'grace_until_ms', 0)
end
redis.call('HSET', KEYS[1], 'concert_version', ARGV[1], 'status', ARGV[2], 'sales_start_ms', ARGV[3],
  'sales_end_ms', ARGV[4], 'limit_per_order', ARGV[5], 'limit_per_person', ARGV[6], 'hold_ms', ARGV[7],
  'expire_at_ms', ARGV[8])
for index = 9, #ARGV, 3 do
  local tier = ARGV[index]
  redis.call('HSET', KEYS[2], tier .. '|top', ARGV[index + 1], tier .. '|price', ARGV[index + 2])
  redis.call('HSETNX', KEYS[2], tier .. '|next', 1)
  for _, counter in ipairs({'held', 'sold', 'withdrawn'}) do redis.call('HSETNX', KEYS[2], tier .. '|' .. counter, 0) end
end
redis.call('HINCRBY', KEYS[1], 'version', 1)
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[8]) end
return {'APPLIED'}
