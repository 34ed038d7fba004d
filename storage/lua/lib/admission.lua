-- Functions for calling people: they apply both caps, and choose the next person by the room's
-- queueing method.
local REFILL = 100
-- Ending an entry takes ten times as long as examining a number: 250 entries take about 20 ms.
local MAX_ENDED = 250

-- Returns the number of admissions in this second and the 60 before it, which together cover the
-- last 60 seconds.
local function count_recent_admissions(second)
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

-- Returns how many people may be called now within both caps, at most `most`. The caps do not apply
-- to an open PASSTHROUGH queue.
local function allowance(most, second)
  if queue_state().queueing_method == 'PASSTHROUGH' and queue_state().queue_all ~= 1 then return most end
  local caps = redis.call('HMGET', STATE, 'total_active_users', 'new_users_per_minute')
  return math.min(most, caps[1] - redis.call('ZCARD', SLOTS), caps[2] - count_recent_admissions(second))
end

-- Calls a waiting person, or ends their entry as ABSENT if their presence has run out. Returns
-- whether the person was called.
local function call_person(person, entry_id, claim_until_ms)
  local entry, alive_until = read_entry(person), redis.call('ZSCORE', PRESENCE_DEADLINES, person)
  if alive_until and is_due(tonumber(alive_until)) then
    end_entry(person, entry, 'ABSENT')
    return false
  end
  entry.number, entry.lot = number_of(entry), lot_of(entry)
  entry.state, entry.deadline_ms, entry.called_ms = 'READY', claim_until_ms, now
  redis.call('ZREM', PRESENCE_DEADLINES, person)
  redis.call('HDEL', WAITERS, entry_id)
  redis.call('ZADD', SLOTS, claim_until_ms, person)
  if queue_state().queueing_method == 'RANDOM' then redis.call('SETBIT', DEPARTED, queue_state().base + entry.number, 1) end
  count_flow(entry, 'called', 'called')
  append_event('called', person, entry.id, entry.round)
  write_entry(person, entry)
  return true
end

-- Returns how many numbers up to this one are still waiting.
local function count_waiting(number)
  local room = queue_state()
  local departed = redis.call('BITCOUNT', DEPARTED, room.base + room.serving + 1, room.base + number, 'BIT')
  return number - room.serving - departed
end

-- Returns the nth number that is still waiting.
local function find_waiting(nth)
  local low, high = queue_state().serving + 1, queue_state().tail
  while low < high do
    local middle = math.floor((low + high) / 2)
    if count_waiting(middle) >= nth then high = middle else low = middle + 1 end
  end
  return low
end

-- Calls up to `free` people, drawing each of them with equal probability from all who are waiting.
-- The draw cannot be predicted, because the incarnation of a store is not public. Returns how many
-- were called, and whether a bound was hit.
local function draw_people(free, bound, claim_until_ms)
  local room, called, drawn = queue_state(), 0, 0
  local seed = redis.call('HGET', STATE, 'incarnation') .. table.concat(redis.call('TIME'), '.')
  while called < free and drawn < bound do
    local waiting = count_waiting(room.tail)
    if waiting == 0 then break end
    drawn = drawn + 1
    local chance = tonumber(string.sub(redis.sha1hex(seed .. ':' .. drawn), 1, 12), 16)
    local number = find_waiting(chance % waiting + 1)
    local entry_id = entry_id_of(number)
    local person = redis.call('HGET', WAITERS, entry_id)
    if not person then
      redis.call('SETBIT', DEPARTED, room.base + number, 1)
    elseif call_person(person, entry_id, claim_until_ms) then
      called = called + 1
    end
  end
  return called, drawn >= bound
end

-- Moves the serving number past numbers that have departed, and calls up to `free` people in order.
-- Returns how many were called, and whether a bound was hit.
local function call_in_order(free, bound, claim_until_ms)
  local room, called, examined, ended = queue_state(), 0, 0, 0
  while room.serving < room.tail and examined < bound and ended < MAX_ENDED do
    local entry_id = entry_id_of(room.serving + 1)
    local person = redis.call('HGET', WAITERS, entry_id)
    if person then
      if called >= free then break end
      if call_person(person, entry_id, claim_until_ms) then called = called + 1 else ended = ended + 1 end
    end
    room.serving, examined = room.serving + 1, examined + 1
  end
  return called, examined >= bound or ended >= MAX_ENDED
end

-- Calls at most `most` people within both caps, and examines at most `bound` numbers. Returns how
-- many were called, whether a bound was hit, and whether the serving number moved. A paused room
-- still accepts manual calls. The caller must call `commit`.
local function call_next(most, bound, is_manual)
  local room, status = queue_state(), room_status()
  -- Before the draw, the numbers of departed lots are unknown, so moving the serving number could
  -- skip a person.
  if not is_trusted or not room.is_opened or room.is_over or room.serving >= room.tail then return 0, false, false end
  local second, free = math.floor(now / 1000), 0
  if status == 'OPEN' or (status == 'PAUSED' and is_manual) then free = math.max(allowance(most, second), 0) end
  local claim_until_ms = now + tonumber(redis.call('HGET', STATE, 'pass_claim_timeout_ms'))
  local before, called, is_draw_bounded = room.serving, 0, false
  if room.queueing_method == 'RANDOM' then
    called, is_draw_bounded = draw_people(free, math.min(bound, MAX_ENDED), claim_until_ms)
    free = 0
  end
  local in_order, is_bounded = call_in_order(free, bound, claim_until_ms)
  called = called + in_order
  if room.serving > before then redis.call('HSET', STATE, 'serving', room.serving) end
  if called > 0 then
    redis.call('HINCRBY', ADMISSIONS, second, called)
    append_event('admitted', '', room.base + room.serving, room.round, 'count', called)
  end
  return called, is_draw_bounded or is_bounded, room.serving > before
end
