--[[ Take units for an order whose payment arrived after its units were released: those that its
hold still has, and free ones for the others. Either all lines get their units, or nothing changes.
Neither a pass nor an open sale is needed, and of the rules of a tier only a withdrawal applies: its
free units are off sale. The hold is BUYING until the next version of the order is
recorded, and no worker ends it. A repeated call returns the same units.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation    as seen by this connection
ARGV[2]   order_id       the same as the hold's id
ARGV[3]   person
ARGV[4]   order_version  the version that has no units
ARGV[5]   origin         JSON as for record_order
ARGV[6]   starts_ms      start of the concert
Replies   TAKEN unit... | SOLD_OUT | PERSON_LIMIT | OVER  (the concert has started or is canceled)
          | STALE  (a later version of the order is recorded) | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify tier_rules capacity order_units
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local id, version = ARGV[2], tonumber(ARGV[4])
local record = read_or_make_hold(id, ARGV[3], ARGV[5], 'ENDED', {})
if record.order_version > version or record.state == 'SOLD' then return {'STALE'} end
local sale = redis.call('HMGET', STATE, 'status', 'limit_per_person')
if sale[1] == 'CANCELLED' or now >= tonumber(ARGV[6]) then return {'OVER'} end

local lines, missing, total, caps = cjson.decode(ARGV[5]).lines, {}, 0, read_proposed_caps()
for _, line in ipairs(lines) do
  local tier, quantity = line[1], line[2]
  for _, unit in ipairs(record.units) do
    if tier_of(unit) == tier then quantity = quantity - 1 end
  end
  local stock = redis.call('HMGET', TIERS, tier .. '|top', tier .. '|withdrawn', tier .. '|capacity', tier .. '|held',
    tier .. '|sold', tier .. '|rules')
  local available = count_on_sale(stock[1], stock[2], stock[3], caps[tier]) - stock[4] - stock[5]
  if read_rules(stock[6]).is_withdrawn then available = 0 end
  if quantity > 0 and available < quantity then return {'SOLD_OUT'} end
  missing[tier], total = quantity, total + quantity
end
local person = read_person(record.person)
if total > 0 and person.held + person.owned + total > tonumber(sale[2]) then return {'PERSON_LIMIT'} end

for _, line in ipairs(lines) do
  local tier, quantity = line[1], missing[line[1]]
  for _, unit in ipairs(take_units(tier, quantity, id)) do record.units[#record.units + 1] = unit end
  add_to_counter(tier, 'held', quantity)
end
-- MongoDB has not recorded these units.
for _, unit in ipairs(record.units) do redis.call('HSET', UNITS, unit, id) end
person.held = person.held + total
add_hold_id(person, id)
write_person(record.person, person)
redis.call('ZREM', DEADLINES, id)
redis.call('ZREM', BUYING, id)
record.state, record.reason, record.lines, record.deadline_ms = 'BUYING', '', lines, now
record.order_version, record.is_taken_again = version, true
write_hold(id, record)
commit()
local reply = {'TAKEN'}
for _, unit in ipairs(record.units) do reply[#reply + 1] = unit end
return reply
