-- Functions that write, count and end entries, and bind and spend passes. They are shared by the
-- scripts that change the queue.
local SLICE_MS = 10000

local function write_entry(person, entry)
  redis.call('HSET', ENTRIES, person, cjson.encode(entry))
  touched_people[person] = true
end

-- Counts an event in the waiting room. Entries from before a reset are not counted.
local function count_flow(entry, what, slice, by)
  if entry.round ~= queue_state().round then return end
  redis.call('HINCRBY', FLOW, what, by or 1)
  if slice then redis.call('HINCRBY', FLOW, slice .. '|' .. string.format('%d', math.floor(now / SLICE_MS)), 1) end
end

local EVENT_OF = {LEFT = 'left', SPENT = 'completed'}
local STATE_OF = {LEFT = 'LEFT', SPENT = 'COMPLETED'}

-- Ends an active entry. If its number was never called, its departed bit is set, so that every
-- person behind it moves up.
local function end_entry(person, entry, why)
  if entry.state == 'WAITING' then
    entry.number, entry.lot = number_of(entry), lot_of(entry)
    redis.call('SETBIT', DEPARTED, entry.number and queue_state().base + entry.number or entry.id, 1)
    redis.call('ZREM', PRESENCE_DEADLINES, person)
    redis.call('HDEL', WAITERS, entry.id)
    count_flow(entry, string.lower(why), 'gone')
  else
    redis.call('ZREM', SLOTS, person)
    count_flow(entry, why == 'SPENT' and 'completed' or string.lower(why))
  end
  entry.state, entry.ended, entry.deadline_ms = STATE_OF[why] or 'EXPIRED', why, now
  append_event(EVENT_OF[why] or 'expired', person, entry.id, entry.round, 'end', why)
  write_entry(person, entry)
end

-- Returns whether any process has a connection to this person. If so, no deadline applies to the
-- entry.
local function is_present(entry)
  for _, sequence in pairs(entry.presence or {}) do
    if sequence > 0 then return true end
  end
  return false
end

-- Removes the disconnect marks of processes without a lease. Such a process can no longer send an
-- older report, so its mark is not needed.
local function drop_dead_marks(marks)
  for process, mark in pairs(marks) do
    if mark < 0 and not redis.call('ZSCORE', LEASES, process) then marks[process] = nil end
  end
end

-- Makes the person count as present until this time, unless a later time was set before. The time
-- is stored in PRESENCE_DEADLINES; for a person with a connection, it is stored in the entry.
local function extend_presence(person, entry, alive_until_ms)
  redis.call('ZADD', PRESENCE_DEADLINES, 'GT', math.max(entry.deadline_ms or 0, alive_until_ms), person)
  entry.deadline_ms = nil
end

-- Removes the presence deadline of a person who connected. The entry keeps the deadline if a grace
-- period starting now would end before it.
local function suspend_presence_deadline(person, entry, grace_ms)
  local alive_until_ms = tonumber(redis.call('ZSCORE', PRESENCE_DEADLINES, person) or entry.deadline_ms or now)
  entry.deadline_ms = alive_until_ms > now + grace_ms and alive_until_ms or nil
  redis.call('ZREM', PRESENCE_DEADLINES, person)
end

-- Binds a pass to one hold, because a pass allows only one purchase at a time. Returns false if
-- another hold under it is being bought.
local function bind_pass(record, id)
  local entry = read_entry(record.person)
  if not entry or entry.id ~= record.pass then return true end
  local bound = entry.hold and entry.hold ~= id and read_hold(entry.hold)
  if bound and bound.state == 'BUYING' then return false end
  entry.hold = id
  redis.call('HSET', ENTRIES, record.person, cjson.encode(entry))
  return true
end

-- Spends the pass under which an order was placed, and releases the other holds under it. Returns
-- the entry, or nil if the pass was not active.
local function spend_pass(record)
  local entry = read_entry(record.person)
  if not entry or entry.id ~= record.pass then return nil end
  -- After the end of the sale, a pass lasts as long as its hold, which this order has just ended.
  if entry.state ~= 'ADMITTED' and not is_active(record.person, entry) then return nil end
  end_entry(record.person, entry, 'SPENT')
  for _, other_id in ipairs(read_person(record.person).holds) do
    local other = read_hold(other_id)
    if other.state == 'HELD' and other.pass == record.pass then end_hold(other_id, other, 'PASS_SPENT') end
  end
  return entry
end
