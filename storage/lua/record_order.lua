--[[ Make the store agree with one order in MongoDB: after a purchase, a payment, a settlement, a
conflict or a change of capacity, or in a recovery. The order's units are taken from their owners,
the other units of its hold are freed, and the order's units are counted for the person. A hold that
loses a unit gets another one or ends. An order that awaits payment keeps its hold BUYING: its units
count as held, and its pass is bound but not spent. An order version that is already recorded
changes nothing.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation    as seen by this connection
ARGV[2]   epoch          of the calling recovery, or ''
ARGV[3]   order_id       the same as the hold's id
ARGV[4]   person
ARGV[5]   order_version
ARGV[6]   stock_state    what the order means for the stock: BUYING, SOLD, WITHDRAWN or ENDED
ARGV[7]   origin         JSON {lines, created_ms, digest, pass} of the hold, if the store lacks it,
                         and {traceparent} of the purchase, if it was traced
ARGV[8]   pay_until_ms   deadline of the payment, for BUYING; otherwise ''
ARGV[9*]  units          of the order as it is now; none if it has ended
Replies   RECORDED | KNOWN | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries admission order_units
local refusal = check_incarnation(ARGV[1], ARGV[2])
if refusal then return refusal end
if string.find(ARGV[7], 'traceparent', 1, true) then traceparent = cjson.decode(ARGV[7]).traceparent end
local id, version, stock_state, mine = ARGV[3], tonumber(ARGV[5]), ARGV[6], '=' .. ARGV[3]
local record = read_or_make_hold(id, ARGV[4], ARGV[7], stock_state, list_from(ARGV, 9))
if record.order_version > version then return {'KNOWN'} end
if record.order_version == version and has_stock_state(record, stock_state) then return {'KNOWN'} end

local before, after = counter_of(record), COUNTERS[stock_state]
local wanted, displaced = {}, {}
for index = 9, #ARGV do wanted[ARGV[index]] = true end
for _, unit in ipairs(record.units) do
  add_to_counter(tier_of(unit), before, -1)
  if not wanted[unit] then free_unit(unit) end
end
move_person_units(record, id, before, after, #ARGV - 8)
for index = 9, #ARGV do
  local unit = ARGV[index]
  local owner = redis.call('HGET', UNITS, unit)
  if not owner then
    take_unit(unit, mine)
  elseif owner == id or owner == mine then
    redis.call('HSET', UNITS, unit, mine)
  else
    displaced[#displaced + 1] = unit
  end
  add_to_counter(tier_of(unit), after, 1)
end
record.units, record.order_version, record.counter, record.is_taken_again = list_from(ARGV, 9), version, after, nil
record.state, record.reason = HOLD_STATES[stock_state], stock_state == 'ENDED' and 'ORDER_ENDED' or ''
record.deadline_ms = stock_state == 'BUYING' and tonumber(ARGV[8]) or now
redis.call('ZREM', DEADLINES, id)
redis.call('ZREM', BUYING, id)
write_hold(id, record)
-- This step comes last, when every free unit of this order has been taken, so that none of them is
-- used as a replacement. The owner is read again: a hold that ended because of an earlier unit has
-- already returned this one.
for _, unit in ipairs(displaced) do
  local owner = redis.call('HGET', UNITS, unit)
  if owner then displace(unit, owner, mine) else take_unit(unit, mine) end
end
if record.pass and record.state == 'BUYING' then bind_pass(record, id) end
local spent = record.pass and record.state == 'SOLD' and spend_pass(record)
if spent then
  count_flow(spent, 'tickets', nil, #record.units)
  call_next(REFILL, REFILL)
end
commit()
return {'RECORDED'}
