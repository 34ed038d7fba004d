-- Functions for recording an order: they take units by number, and displace the holds and orders
-- that have them.

-- Takes one unit that has no owner. If its number is higher than those of all units taken so far,
-- the skipped numbers become free units.
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

-- Updates the person's counts: the order's units replace those that the record held or owned.
local function move_person_units(record, id, was_held, units_now)
  local person = read_person(record.person)
  if was_held then person.held = person.held - #record.units else person.owned = person.owned - #record.units end
  person.owned = person.owned + units_now
  remove_hold_id(person, id)
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
-- that loses it has already lost it in MongoDB.
local function displace(unit, owner, new_owner)
  local tier, other_id = tier_of(unit), string.gsub(owner, '^=', '')
  local other = read_hold(other_id)
  redis.call('HSET', UNITS, unit, new_owner)
  other.units = list_without(other.units, unit)
  local person = read_person(other.person)
  if other.state == 'SOLD' then
    add_to_counter(tier, other.counter, -1)
    person.owned = person.owned - 1
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
