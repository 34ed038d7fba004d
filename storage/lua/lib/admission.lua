-- The parts of an admission run: what is over, processes that fell silent, the window of the last minute, a call.

-- Ends what is due: absences, calls nobody answered, passes that ran out. A pass with a living hold waits for that.
local function end_overdue(bound)
  if now < grace_until_ms or now - worker_ms > WORKER_GAP_MS then return 0 end
  local ended = 0
  for _, person in ipairs(redis.call('ZRANGEBYSCORE', ALIVE, '-inf', now, 'LIMIT', 0, bound)) do
    end_entry(person, read_entry(person), 'EXPIRED')
    ended = ended + 1
  end
  for _, person in ipairs(redis.call('ZRANGEBYSCORE', SLOTS, '-inf', now, 'LIMIT', 0, bound)) do
    local entry = read_entry(person)
    if entry.state == 'ADMITTED' and #read_person(person).holds > 0 then
      -- Its last hold to end brings the score back.
      redis.call('ZADD', SLOTS, '+inf', person)
    else
      end_entry(person, entry, 'EXPIRED')
    end
    ended = ended + 1
  end
  return ended
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
      if entry then
        entry.attached[process] = nil
        if entry.state == 'WAITING' and not spoken_for(entry) then stay_until(person, entry, now + grace_ms) end
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

local function call_person(person, claim_until_ms)
  local entry = read_entry(person)
  entry.state, entry.deadline_ms, entry.called_ms = 'READY', claim_until_ms, now
  redis.call('ZREM', ALIVE, person)
  redis.call('ZADD', SLOTS, claim_until_ms, person)
  write_entry(person, entry)
end
