-- Functions that take, free and count units, and read and write the records of holds and people.
-- They are shared by the scripts that change stock.
local touched_tiers, touched_people = {}, {}

local function add_to_counter(tier, what, by)
  local field = tier .. '|' .. what
  touched_tiers[field] = (touched_tiers[field] or 0) + by
end

local function tier_of(unit)
  return string.match(unit, '^(.*):')
end

local function each_chunk(list, call)
  for first = 1, #list, 1000 do call(unpack(list, first, math.min(first + 999, #list))) end
end

-- Takes `quantity` units of a tier for `owner`: first returned units, then the next new ones.
-- Returns the units, or nil if there are too few.
local function take_units(tier, quantity, owner)
  local taken = redis.call('ZRANGEBYLEX', FREE, '[' .. tier .. ':', '(' .. tier .. ';', 'LIMIT', 0, quantity)
  local missing, next_new = quantity - #taken, 1
  if missing > 0 then
    local limits = redis.call('HMGET', TIERS, tier .. '|next', tier .. '|top')
    next_new = tonumber(limits[1])
    if next_new + missing - 1 > tonumber(limits[2]) then return nil end
    redis.call('HSET', TIERS, tier .. '|next', next_new + missing)
  end
  each_chunk(taken, function(...) redis.call('ZREM', FREE, ...) end)
  for number = next_new, next_new + missing - 1 do taken[#taken + 1] = string.format('%s:%d', tier, number) end
  local owners = {}
  for _, unit in ipairs(taken) do owners[#owners + 1], owners[#owners + 2] = unit, owner end
  each_chunk(owners, function(...) redis.call('HSET', UNITS, ...) end)
  return taken
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
