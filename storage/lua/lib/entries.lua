-- What changes of the line share: entries written, counted and ended, and the pass that an order spends.
local SLICE_MS = 10000

local function write_entry(person, entry)
  redis.call('HSET', ENTRIES, person, cjson.encode(entry))
  touched_people[person] = true
end

-- What went through the room in this round: whoever was called before a reset counts no more.
local function count_flow(entry, what, slice, by)
  if entry.round ~= queue_state().round then return end
  redis.call('HINCRBY', FLOW, what, by or 1)
  if slice then redis.call('HINCRBY', FLOW, slice .. '|' .. string.format('%d', math.floor(now / SLICE_MS)), 1) end
end

local EVENT_OF = {LEFT = 'left', SPENT = 'completed'}
local STATE_OF = {LEFT = 'LEFT', SPENT = 'COMPLETED'}

-- Ends a living entry. A number that was never called leaves a bit, so that everybody behind it moves up.
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

-- Whether a process has a socket of this person: while one has, the entry has no deadline.
local function is_present(entry)
  for _, attachment in pairs(entry.presence or {}) do
    if attachment > 0 then return true end
  end
  return false
end

-- A process that said "gone" and has no lease any more can say nothing older: its mark need not be kept.
local function drop_dead_marks(marks)
  for process, mark in pairs(marks) do
    if mark < 0 and not redis.call('ZSCORE', LEASES, process) then marks[process] = nil end
  end
end

-- From now on the person counts as there until then, and never for less than was said before. Only PRESENCE_DEADLINES says so, but
-- for people whom a process speaks for: their entry keeps what was said.
local function extend_presence(person, entry, alive_until_ms)
  redis.call('ZADD', PRESENCE_DEADLINES, 'GT', math.max(entry.deadline_ms or 0, alive_until_ms), person)
  entry.deadline_ms = nil
end

-- What was said is kept where it outlasts the grace that the person will have anyway.
local function suspend_presence_deadline(person, entry, grace_ms)
  local alive_until_ms = tonumber(redis.call('ZSCORE', PRESENCE_DEADLINES, person) or entry.deadline_ms or now)
  entry.deadline_ms = alive_until_ms > now + grace_ms and alive_until_ms or nil
  redis.call('ZREM', PRESENCE_DEADLINES, person)
end

-- A pass is for one purchase at a time. False while another hold under it is being bought.
local function bind_pass(record, id)
  local entry = read_entry(record.person)
  if not entry or entry.id ~= record.pass then return true end
  local bound = entry.hold and entry.hold ~= id and read_hold(entry.hold)
  if bound and bound.state == 'BUYING' then return false end
  entry.hold = id
  redis.call('HSET', ENTRIES, record.person, cjson.encode(entry))
  return true
end

-- The first order under a pass spends it, and what else was held under it goes back. The entry, if it did.
local function spend_pass(record)
  local entry = read_entry(record.person)
  if not is_active(entry) or entry.id ~= record.pass then return nil end
  end_entry(record.person, entry, 'SPENT')
  for _, other_id in ipairs(read_person(record.person).holds) do
    local other = read_hold(other_id)
    if other.state == 'HELD' and other.pass == record.pass then end_hold(other_id, other, 'PASS_SPENT') end
  end
  return entry
end
