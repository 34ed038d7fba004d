-- Functions that take and free units, and read and write the records of holds and people. They are
-- shared by the scripts that change single holds.

local function tier_of(unit)
  return string.match(unit, '^(.*):')
end

-- Takes `quantity` units of a tier for `owner`. Returns the units, or nil if there are too few.
local function take_units(tier, quantity, owner)
  local limits = redis.call('HMGET', TIERS, tier .. '|next', tier .. '|top')
  local units, returned, next_after = find_units(tier, quantity, tonumber(limits[1]), tonumber(limits[2]))
  if not units then return nil end
  if returned < quantity then redis.call('HSET', TIERS, tier .. '|next', next_after) end
  each_chunk(units, function(...) redis.call('ZREM', FREE, ...) end, returned)
  local owners = {}
  for _, unit in ipairs(units) do owners[#owners + 1], owners[#owners + 2] = unit, owner end
  each_chunk(owners, function(...) redis.call('HSET', UNITS, ...) end)
  return units
end

local function free_unit(unit)
  redis.call('HDEL', UNITS, unit)
  redis.call('ZADD', FREE, 0, unit)
end

local function read_hold(id)
  local text = redis.call('HGET', HOLDS, id)
  return text and cjson.decode(text)
end

-- Returns whether an order in MongoDB has the units of this hold. A hold that has taken units again
-- belongs to an order that has none.
local function has_order(record)
  return record.order_version > 0 and not record.is_taken_again and record.state ~= 'ENDED'
end

local function write_hold(id, record)
  local text = cjson.encode(record)
  redis.call('HSET', HOLDS, id, text)
  touched_people[record.person] = true
  return text
end

local function read_person(id)
  local text = redis.call('HGET', PEOPLE, id)
  return text and cjson.decode(text) or {held = 0, owned = 0, holds = {}}
end

local function write_person(id, person)
  redis.call('HSET', PEOPLE, id, cjson.encode(person))
  touched_people[id] = true
end

local function add_hold_id(person, id)
  for _, known in ipairs(person.holds) do
    if known == id then return end
  end
  person.holds[#person.holds + 1] = id
end

local function remove_hold_id(person, id)
  for index, known in ipairs(person.holds) do
    if known == id then return table.remove(person.holds, index) end
  end
end

-- Ends a hold that is HELD or BUYING: its units are returned, and the record is kept for replays.
local function end_hold(id, record, reason)
  for _, unit in ipairs(record.units) do
    free_unit(unit)
    add_to_counter(tier_of(unit), 'held', -1)
  end
  local person = read_person(record.person)
  person.held = person.held - #record.units
  remove_hold_id(person, id)
  write_person(record.person, person)
  redis.call('ZREM', DEADLINES, id)
  redis.call('ZREM', BUYING, id)
  record.state, record.reason, record.units, record.deadline_ms = 'ENDED', reason, {}, now
  record.is_taken_again = nil
  return write_hold(id, record)
end
