-- Functions for recording an order: they make its hold agree with it, take units by number, and
-- displace the holds and orders that have them.

-- Maps each stock state of an order to the counter of its units, and to the state of its hold.
local COUNTERS = {BUYING = 'held', SOLD = 'sold', WITHDRAWN = 'withdrawn', ENDED = 'held'}
local HOLD_STATES = {BUYING = 'BUYING', SOLD = 'SOLD', WITHDRAWN = 'SOLD', ENDED = 'ENDED'}

-- Returns the hold of an order, or one made from `origin_text` if the store lacks it. If only the
-- hold was lost, its units still have their owner and are still counted, so the hold is made with
-- them.
local function read_or_make_hold(id, person, origin_text, stock_state, units)
  local known = read_hold(id)
  if known then return known end
  local origin, left, state = cjson.decode(origin_text), {}, 'ENDED'
  for _, unit in ipairs(units) do
    local owner = redis.call('HGET', UNITS, unit)
    if owner == id or owner == '=' .. id then left[#left + 1] = unit end
    if owner == '=' .. id then state = HOLD_STATES[stock_state] end
  end
  return {person = person, digest = origin.digest, state = state, counter = COUNTERS[stock_state], reason = '',
    units = left, lines = origin.lines, created_ms = origin.created_ms, deadline_ms = now, order_version = 0,
    pass = origin.pass}
end

-- Returns the counter in which the units of a hold are counted.
local function counter_of(record)
  return record.state == 'SOLD' and record.counter or 'held'
end

-- Returns whether a hold agrees with this stock state of its order. A hold that has taken units
-- again agrees with an order that has none.
local function has_stock_state(record, stock_state)
  if record.is_taken_again then return stock_state == 'ENDED' end
  return record.state == HOLD_STATES[stock_state] and (record.state ~= 'SOLD' or record.counter == COUNTERS[stock_state])
end

-- Takes one unit that has no owner. If its number is higher than the numbers of all units taken so
-- far, the skipped numbers become free units.
local function take_unit(unit, owner)
  local tier, number = string.match(unit, '^(.*):(%d+)$')
  number = tonumber(number)
  local next_new = tonumber(redis.call('HGET', TIERS, tier .. '|next') or '1')
  if number >= next_new then
    for skipped = next_new, number - 1 do redis.call('ZADD', FREE, 0, string.format('%s:%d', tier, skipped)) end
    redis.call('HSET', TIERS, tier .. '|next', number + 1)
  else
    redis.call('ZREM', FREE, unit)
  end
  redis.call('HSET', UNITS, unit, owner)
end

-- Updates the person's counts and active holds: the order's units replace its hold's.
local function move_person_units(record, id, before, after, units_now)
  local person = read_person(record.person)
  local from, to = before == 'held' and 'held' or 'owned', after == 'held' and 'held' or 'owned'
  person[from] = person[from] - #record.units
  person[to] = person[to] + units_now
  if to == 'held' and units_now > 0 then add_hold_id(person, id) else remove_hold_id(person, id) end
  write_person(record.person, person)
end

local function list_without(list, gone)
  local rest = {}
  for _, item in ipairs(list) do
    if item ~= gone then rest[#rest + 1] = item end
  end
  return rest
end

-- Takes a unit from another owner. A hold that loses the unit gets another one or ends. An order
-- that loses it, paid or not, has already lost it in MongoDB.
local function displace(unit, owner, new_owner)
  local tier, other_id = tier_of(unit), string.gsub(owner, '^=', '')
  local other = read_hold(other_id)
  redis.call('HSET', UNITS, unit, new_owner)
  other.units = list_without(other.units, unit)
  local person = read_person(other.person)
  if has_order(other) then
    local counter, count = counter_of(other), other.state == 'SOLD' and 'owned' or 'held'
    add_to_counter(tier, counter, -1)
    person[count] = person[count] - 1
    write_person(other.person, person)
    write_hold(other_id, other)
    return
  end
  local others = take_units(tier, 1, other_id)
  if others then
    other.units[#other.units + 1] = others[1]
    write_hold(other_id, other)
  else
    add_to_counter(tier, 'held', -1)
    person.held = person.held - 1
    write_person(other.person, person)
    end_hold(other_id, other, 'UNITS_LOST')
  end
end

-- Returns the items of a list, starting at an index. (`unpack` fails at about 8,000 items.)
local function list_from(list, first)
  local rest = {}
  for index = first, #list do rest[#rest + 1] = list[index] end
  return rest
end
