-- What scripts of the line share: entries, the bits of departed numbers, and the end of an entry.

local function read_entry(person)
  local text = redis.call('HGET', ENTRIES, person)
  return text and cjson.decode(text)
end

local function write_entry(person, entry)
  local text = cjson.encode(entry)
  redis.call('HSET', ENTRIES, person, text)
  touched_people[person] = true
  return text
end

local function is_living(entry)
  return entry and (entry.state == 'WAITING' or entry.state == 'READY' or entry.state == 'ADMITTED')
end

-- Ends an entry. A number that was never called leaves a bit, so that everybody behind it moves up.
local function end_entry(person, entry, state)
  if entry.state == 'WAITING' then
    redis.call('SETBIT', DEPARTED, entry.number, 1)
    redis.call('ZREM', ALIVE, person)
    redis.call('HDEL', LINE, entry.number)
  else
    redis.call('ZREM', SLOTS, person)
  end
  entry.state, entry.deadline_ms = state, now
  return write_entry(person, entry)
end

-- Whether a process has a socket of this person: while one has, the entry has no deadline.
local function spoken_for(entry)
  for _, attachment in pairs(entry.attached or {}) do
    if attachment > 0 then return true end
  end
  return false
end

-- From now on the person counts as there until then, and never for less than was said before.
local function stay_until(person, entry, alive_until_ms)
  entry.deadline_ms = math.max(entry.deadline_ms, alive_until_ms)
  redis.call('ZADD', ALIVE, 'GT', entry.deadline_ms, person)
end

-- A pass is for one purchase at a time. False while another hold under it is being bought.
local function bind_pass(record, id)
  local entry = read_entry(record.person)
  if not entry or entry.number ~= record.pass then return true end
  local bound = entry.hold and entry.hold ~= id and read_hold(entry.hold)
  if bound and bound.state == 'BUYING' then return false end
  entry.hold = id
  redis.call('HSET', ENTRIES, record.person, cjson.encode(entry))
  return true
end

-- The first order under a pass spends it, and what else was held under it goes back.
local function spend_pass(record)
  local entry = read_entry(record.person)
  if not is_living(entry) or entry.number ~= record.pass then return end
  end_entry(record.person, entry, 'COMPLETED')
  for _, other_id in ipairs(read_person(record.person).holds) do
    local other = read_hold(other_id)
    if other.state == 'HELD' and other.pass == record.pass then end_hold(other_id, other, 'PASS_SPENT') end
  end
end
