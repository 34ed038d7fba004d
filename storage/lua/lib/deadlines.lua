-- Functions that end entries, calls, passes and leases whose deadlines have passed, and remove old
-- flow counts.
local RECHECK_MS = 500

-- Ends what is due: entries of absent people, calls that were not claimed, and expired
-- passes. A pass with an active hold is checked again later, until that hold has ended. No grace
-- period extends a sale that is over. Returns how many entries were ended, and whether there may be
-- more.
local function end_due()
  if not is_counting() and not queue_state().is_over then return 0, false end
  local absent = redis.call('ZRANGEBYSCORE', PRESENCE_DEADLINES, '-inf', now, 'LIMIT', 0, MAX_ENDED)
  for _, person in ipairs(absent) do end_entry(person, read_entry(person), 'ABSENT') end
  local over, postponed = redis.call('ZRANGEBYSCORE', SLOTS, '-inf', now, 'LIMIT', 0, MAX_ENDED), 0
  for _, person in ipairs(over) do
    local entry = read_entry(person)
    if entry.state == 'ADMITTED' and has_hold_under(person, entry) then
      redis.call('ZADD', SLOTS, now + RECHECK_MS, person)
      postponed = postponed + 1
    else
      local why = entry.state == 'READY' and 'NOT_CLAIMED' or 'SESSION_OVER'
      end_entry(person, entry, is_called_over(person, entry) and sale_end_reason() or why)
    end
  end
  return #absent + #over - postponed, #absent == MAX_ENDED or #over == MAX_ENDED
end

-- Removes the connections of processes whose lease has expired. The people who were connected to
-- them get the grace period for lost connections.
local function expire_leases(bound)
  if not is_counting() then return 0 end
  local grace_ms, done = tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms')), 0
  for _, process in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 10)) do
    local found = redis.call('ZRANGEBYLEX', CONNECTIONS, '[' .. process .. '|', '(' .. process .. '}', 'LIMIT', 0, bound)
    for _, connection in ipairs(found) do
      local person = string.sub(connection, #process + 2)
      local entry = read_entry(person)
      if entry and entry.presence then
        entry.presence[process] = nil
        if is_waiting(entry) and not is_present(entry) then extend_presence(person, entry, now + grace_ms) end
        redis.call('HSET', ENTRIES, person, cjson.encode(entry))
      end
      redis.call('ZREM', CONNECTIONS, connection)
    end
    done = done + #found
    if #found < bound then redis.call('ZREM', LEASES, process) end
    if done >= bound then break end
  end
  return done
end

-- Removes flow counts older than five minutes, at most once per slice of time.
local function drop_old_slices()
  local slice = math.floor(now / SLICE_MS)
  if redis.call('HGET', STATE, 'flow_slice') == tostring(slice) then return end
  redis.call('HSET', STATE, 'flow_slice', slice)
  for _, field in ipairs(redis.call('HKEYS', FLOW)) do
    local began = string.match(field, '|(%d+)$')
    if began and tonumber(began) < slice - 30 then redis.call('HDEL', FLOW, field) end
  end
end
