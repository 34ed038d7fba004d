--[[ Decide whether all of the lower capacities fit, and if so, cap new holds at them from now on.
MongoDB stores them afterward. A later version of the concert, a recovery or drop_proposal removes
the caps. A repeated call sets the same caps again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   version      of the concert on which the change is based
ARGV[3]   proposal     id of the change
ARGV[4]   is_large     '1' if the units are withdrawn later; refused in the first minute after a
          recovery, when purchases unknown to the recovered store may still arrive
ARGV[5*]  tier, capacity  two per lowered tier
Replies   CAPPED | IN_USE tier lowest_capacity | BEHIND version | STALE version
          | TOO_SOON remaining_ms | UNKNOWN_TIER tier | UNKNOWN | RECOVERING
]]
-- @include prologue stock notify capacity
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local seen = redis.call('HMGET', STATE, 'concert_version', 'recovered_ms')
local version, recovered_ms = tonumber(seen[1]), tonumber(seen[2] or '0')
if version < tonumber(ARGV[2]) then return {'BEHIND', version} end
if version > tonumber(ARGV[2]) then return {'STALE', version} end
if ARGV[4] == '1' and now < recovered_ms + BUYING_MS then return {'TOO_SOON', recovered_ms + BUYING_MS - now} end

local caps = read_proposed_caps()
for index = 5, #ARGV, 2 do
  local tier, capacity = ARGV[index], tonumber(ARGV[index + 1])
  local stock = redis.call('HMGET', TIERS, tier .. '|held', tier .. '|sold')
  if not stock[1] then return {'UNKNOWN_TIER', tier} end
  local lowest = stock[1] + stock[2]
  if capacity < lowest then return {'IN_USE', tier, lowest} end
  caps[tier] = math.min(caps[tier] or capacity, capacity)
end
redis.call('HSET', STATE, 'proposed', cjson.encode({id = ARGV[3], at_ms = now, caps = caps}))
commit()
return {'CAPPED'}
