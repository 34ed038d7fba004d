-- Limits how often a person and an address may make a call, by GCRA. For each `<call>|p|<person>`
-- and `<call>|a|<address>`, RATES stores the time at which the whole burst is allowed again. When
-- that time has passed, the member means nothing, and the expiry worker removes it.
local MAX_RATES, RATES_DROPPED = 100000, 1000

-- Returns the time at which the whole burst is allowed again after one more call, and how long the
-- call must wait. A call that must wait is not counted.
local function after_call(full_ms, count, window_ms)
  local next_full_ms = math.max(now, tonumber(full_ms or '0')) + window_ms / count
  return next_full_ms, next_full_ms - now - window_ms
end

-- Counts a call for the person and for the address, unless one of them has reached its limit. Then
-- it returns PERSON or ADDRESS, and the ms to wait. `limits` is `count,window_ms` of the person and
-- of the address, each 0 if there is no limit; an empty text means that there are none. Beyond
-- MAX_RATES members, those that would be removed first are dropped, and start with a full burst.
local function count_call(call, person, address, limits)
  if limits == '' then return nil end
  local of_person, of_address = call .. '|p|' .. person, call .. '|a|' .. address
  local person_count, person_ms, address_count, address_ms = string.match(limits, '^(%d+),(%d+),(%d+),(%d+)$')
  local full_ms, changes, wait_ms = redis.call('ZMSCORE', RATES, of_person, of_address), {}, 0
  if person_count ~= '0' then
    changes[1], wait_ms = after_call(full_ms[1], person_count, person_ms)
    changes[2] = of_person
    -- Less than a millisecond is a rounding error of the interval.
    if wait_ms >= 1 then return 'PERSON', math.ceil(wait_ms) end
  end
  if address_count ~= '0' then
    changes[#changes + 1], wait_ms = after_call(full_ms[2], address_count, address_ms)
    changes[#changes + 1] = of_address
    if wait_ms >= 1 then return 'ADDRESS', math.ceil(wait_ms) end
  end
  if redis.call('ZADD', RATES, unpack(changes)) > 0 and redis.call('ZCARD', RATES) > MAX_RATES then
    redis.call('ZREMRANGEBYRANK', RATES, 0, RATES_DROPPED - 1)
  end
end
