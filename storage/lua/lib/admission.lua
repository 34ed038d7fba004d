-- The parts of an admission: what is over, processes that fell silent, the window of the last minute, and the calls.
local REFILL = 100

-- Ends what is due: absences, calls nobody answered, passes that ran out. A pass with a living hold waits for that.
local function end_overdue(bound)
  if now < grace_until_ms or now - worker_ms > WORKER_GAP_MS then return 0 end
  local absent = redis.call('ZRANGEBYSCORE', ALIVE, '-inf', now, 'LIMIT', 0, bound)
  for _, person in ipairs(absent) do end_entry(person, read_entry(person), 'ABSENT') end
  local over = redis.call('ZRANGEBYSCORE', SLOTS, '-inf', now, 'LIMIT', 0, bound)
  for _, person in ipairs(over) do
    local entry = read_entry(person)
    if entry.state == 'ADMITTED' and #read_person(person).holds > 0 then
      -- Its last hold to end brings the score back.
      redis.call('ZADD', SLOTS, '+inf', person)
    else
      end_entry(person, entry, entry.state == 'READY' and 'NOT_CLAIMED' or 'SESSION_OVER')
    end
  end
  return #absent + #over
end

-- People of processes whose lease is over are on their own: they have the grace of a lost connection.
local function work_off_leases(bound)
  if now < grace_until_ms or now - worker_ms > WORKER_GAP_MS then return 0 end
  local grace_ms, done = tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms')), 0
  for _, process in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 10)) do
    local found = redis.call('ZRANGEBYLEX', ATTACHED, '[' .. process .. '|', '(' .. process .. '}', 'LIMIT', 0, bound)
    for _, attachment in ipairs(found) do
      local person = string.sub(attachment, #process + 2)
      local entry = read_entry(person)
      if entry and entry.attached then
        entry.attached[process] = nil
        if is_waiting(entry) and not spoken_for(entry) then stay_until(person, entry, now + grace_ms) end
        redis.call('HSET', ENTRIES, person, cjson.encode(entry))
      end
      redis.call('ZREM', ATTACHED, attachment)
    end
    done = done + #found
    if #found < bound then redis.call('ZREM', LEASES, process) end
    if done >= bound then break end
  end
  return done
end

-- Admissions of this second and the 60 before it: they cover every window of 60 seconds that ends now.
local function admitted_lately(second)
  local counts, sum = redis.call('HGETALL', ADMISSIONS), 0
  for index = 1, #counts, 2 do
    if tonumber(counts[index]) < second - 60 then
      redis.call('HDEL', ADMISSIONS, counts[index])
    else
      sum = sum + tonumber(counts[index + 1])
    end
  end
  return sum
end

-- How many may be called now under both caps, of `most`.
local function allowance(most, second)
  if line().queueing_method == 'PASSTHROUGH' then return most end
  local caps = redis.call('HMGET', STATE, 'total_active_users', 'new_users_per_minute')
  return math.min(most, caps[1] - redis.call('ZCARD', SLOTS), caps[2] - admitted_lately(second))
end

-- Calls somebody of the line, or ends them where nobody spoke for them in time. Whether they were called.
local function call_person(person, place, claim_until_ms)
  local entry, alive_until = read_entry(person), redis.call('ZSCORE', ALIVE, person)
  if alive_until and is_due(tonumber(alive_until)) then
    end_entry(person, entry, 'ABSENT')
    return false
  end
  entry.number, entry.lot = number_of(entry), lot_of(entry)
  entry.state, entry.deadline_ms, entry.called_ms = 'READY', claim_until_ms, now
  redis.call('ZREM', ALIVE, person)
  redis.call('HDEL', LINE, place)
  redis.call('ZADD', SLOTS, claim_until_ms, person)
  if line().queueing_method == 'RANDOM' then redis.call('SETBIT', DEPARTED, line().base + entry.number, 1) end
  count_flow('called', 'called')
  tell('called', person, entry.place, entry.round)
  write_entry(person, entry)
  return true
end

-- Calls up to `free` people drawn from all who wait. How many, and how many were looked at.
local function draw_people(free, bound, claim_until_ms)
  local called, looked = 0, 0
  while called < free and looked < bound do
    local drawn = redis.call('HRANDFIELD', LINE, math.min(free - called, bound - looked, 100), 'WITHVALUES')
    if #drawn == 0 then break end
    for index = 1, #drawn, 2 do
      if call_person(drawn[index + 1], drawn[index], claim_until_ms) then called = called + 1 end
      looked = looked + 1
    end
  end
  return called, looked
end

-- Moves the cursor over numbers that are gone, and calls up to `free` people in order. As above.
local function call_in_order(free, bound, claim_until_ms)
  local room, called, looked = line(), 0, 0
  while room.serving < room.tail and looked < bound do
    local place = place_of(room.serving + 1)
    local person = redis.call('HGET', LINE, place)
    if person then
      if called >= free then break end
      if call_person(person, place, claim_until_ms) then called = called + 1 end
    end
    room.serving, looked = room.serving + 1, looked + 1
  end
  return called, looked
end

-- Calls at most `most` people under both caps, and looks at `bound` numbers at the most. How many were called, and
-- whether the bound was hit. Who pauses a room still may call by hand. The caller leaves with `changed`.
local function call_next(most, bound, is_by_hand)
  local room, status = line(), room_status()
  -- Before a draw a lot that is gone says nothing of the number it will draw: the cursor would pass over somebody.
  if not believed or not room.is_opened or room.serving >= room.tail then return 0, false end
  local second, free = math.floor(now / 1000), 0
  if status == 'OPEN' or (status == 'PAUSED' and is_by_hand) then free = math.max(allowance(most, second), 0) end
  local claim_until_ms = now + tonumber(redis.call('HGET', STATE, 'pass_claim_timeout_ms'))
  local before, called, looked, drawn = room.serving, 0, 0, 0
  if room.queueing_method == 'RANDOM' then
    called, drawn = draw_people(free, bound, claim_until_ms)
    free = called
  end
  local in_order
  in_order, looked = call_in_order(free - called, bound, claim_until_ms)
  called = called + in_order
  if room.serving > before then redis.call('HSET', STATE, 'serving', room.serving) end
  if called > 0 then
    redis.call('HINCRBY', ADMISSIONS, second, called)
    tell('admitted', '', room.base + room.serving, room.round, 'count', called)
  end
  return called, math.max(looked, drawn) >= bound, room.serving > before
end

-- Slices of the flow are kept for five minutes, and looked through once in each.
local function forget_slices()
  local slice = math.floor(now / SLICE_MS)
  if redis.call('HGET', STATE, 'flow_slice') == tostring(slice) then return end
  redis.call('HSET', STATE, 'flow_slice', slice)
  for _, field in ipairs(redis.call('HKEYS', FLOW)) do
    local began = string.match(field, '|(%d+)$')
    if began and tonumber(began) < slice - 30 then redis.call('HDEL', FLOW, field) end
  end
end
