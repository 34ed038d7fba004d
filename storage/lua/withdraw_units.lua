--[[ Take free units of one tier off sale, also outside the sale window. Their hold is BUYING until
its order is saved. A repeated call with the same hold id returns the hold as it is now.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   hold_id
ARGV[3]   person       the id HOUSE, which owns units that are off sale
ARGV[4]   tier
ARGV[5]   quantity     at most 1,000, so that one call stays short
Replies   HOLD record effective_deadline_ms | IN_USE lowest_capacity | UNKNOWN_TIER tier
          | UNKNOWN | RECOVERING
]]
-- @include prologue stock_and_holds notify
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local id, person_id, tier, quantity = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local known = read_hold(id)
if known then return {'HOLD', cjson.encode(known), effective_deadline(known.deadline_ms)} end
local stock = redis.call('HMGET', TIERS, tier .. '|top', tier .. '|withdrawn', tier .. '|held', tier .. '|sold')
if not stock[1] then return {'UNKNOWN_TIER', tier} end
if stock[1] - stock[2] - stock[3] - stock[4] < quantity then return {'IN_USE', stock[3] + stock[4]} end

local record = {person = person_id, digest = '', state = 'BUYING', reason = '', lines = {{tier, quantity, 0}},
  units = take_units(tier, quantity, id), created_ms = now, deadline_ms = now + BUYING_MS, order_version = 0}
add_to_counter(tier, 'held', quantity)
local house = read_person(person_id)
house.held = house.held + quantity
house.holds[#house.holds + 1] = id
write_person(person_id, house)
redis.call('ZADD', BUYING, record.deadline_ms, id)
local text = write_hold(id, record)
commit()
return {'HOLD', text, effective_deadline(record.deadline_ms)}
