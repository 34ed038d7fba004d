-- Functions shared by the scripts for consumers. A pending event of a group has one of two consumer
-- names, which show its state: `handling` (delivered but not acknowledged) or `waiting` (to be
-- delivered again). Its delivery count is its number of tries.
local HANDLING, TO_RETRY = 'handling', 'waiting'
local LEASE_MS, FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 15000, 1000, 60000

-- Returns whether an event may be delivered again. The pause doubles with each try. A delivered
-- event also stays with its consumer for the length of a lease.
local function is_due_again(holder, idle_ms, tries)
  local pause_ms = math.min(FIRST_PAUSE_MS * 2 ^ (tries - 1), LONGEST_PAUSE_MS)
  if holder ~= TO_RETRY then pause_ms = math.max(pause_ms, LEASE_MS) end
  return idle_ms >= pause_ms
end

-- Returns the pending events of a group in a range of ids. If the group does not exist, for example
-- because the store was wiped, it is created and starts at the first event.
local function pending(group, first, last, limit)
  local found = redis.pcall('XPENDING', EVENTS, group, first, last, limit)
  if not found.err then return found end
  if not string.find(found.err, '^NOGROUP') then error(found.err) end
  if redis.call('EXISTS', EVENTS) == 1 then redis.call('XGROUP', 'CREATE', EVENTS, group, '0') end
  return {}
end

-- Returns whether the event is still at this try. A report about an earlier try is outdated.
local function is_at(group, id, tries)
  local seen = pending(group, id, id, 1)[1]
  return seen and seen[4] == tonumber(tries)
end

-- Marks an event for another delivery after its pause, with its number of tries set to `tries`.
local function retry_later(group, id, tries)
  redis.call('XCLAIM', EVENTS, group, TO_RETRY, 0, id, 'RETRYCOUNT', tries, 'JUSTID')
end

local function is_before(one, other)
  local ms, seq = string.match(one, '(%d+)-(%d+)')
  local other_ms, other_seq = string.match(other, '(%d+)-(%d+)')
  if ms ~= other_ms then return tonumber(ms) < tonumber(other_ms) end
  return tonumber(seq) < tonumber(other_seq)
end

-- Removes all events before the first one that a group has not acknowledged yet.
local function trim()
  local oldest
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', EVENTS)) do
    local fields = {}
    for index = 1, #info, 2 do fields[info[index]] = info[index + 1] end
    local ms, seq = string.match(fields['last-delivered-id'], '(%d+)-(%d+)')
    local first = string.format('%s-%d', ms, seq + 1)
    if fields.pending > 0 then first = redis.call('XPENDING', EVENTS, fields.name)[2] end
    if not oldest or is_before(first, oldest) then oldest = first end
  end
  if oldest then redis.call('XTRIM', EVENTS, 'MINID', oldest) end
end

-- Moves an event of a group to the dead letters. If these are full, the event stays and is tried
-- again, so nothing is lost.
local function to_dead_letter(group, id, tries, reason, max_dead_letters)
  if redis.call('XLEN', DEADLETTERS) >= tonumber(max_dead_letters) then
    retry_later(group, id, tries)
    return 'FULL'
  end
  local event = redis.call('XRANGE', EVENTS, id, id)[1]
  if event then
    redis.call('XADD', DEADLETTERS, '*', 'group', group, 'id', id, 'tries', tries, 'error', reason, unpack(event[2]))
  end
  redis.call('XACK', EVENTS, group, id)
  trim()
  return event and 'DEAD_LETTERED' or 'NOT_PENDING'
end
