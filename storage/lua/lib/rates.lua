-- Limits how often a person and an address may make a call, using GCRA. For each
-- `<call>|p|<person>` and `<call>|a|<address>`, RATES stores the time at which the whole burst is
-- allowed again. Once that time has passed, the member is meaningless, and the expiry worker
-- removes it. The times are whole microseconds: intervals may be shorter than two milliseconds, and
-- whole numbers are cheap.
local MAX_RATES, RATES_DROPPED = 100000, 1000

-- Returns the time at which the whole burst is allowed again after one more call, or nil and the ms
-- to wait. A call that must wait is not counted. A time more than two windows ahead was written
-- before the clock was set back or the window was shortened. It is ignored, because it could refuse
-- a whole address for hours.
local function after_call(full_us, count, window_ms)
  local now_us, window_us = now * 1000, window_ms * 1000
  full_us = tonumber(full_us or 0)
  if full_us < now_us or full_us > now_us + 2 * window_us then full_us = now_us end
  local next_full_us = full_us + math.floor(window_us / count)
  if next_full_us <= now_us + window_us then return string.format('%d', next_full_us) end
  return nil, math.ceil((next_full_us - now_us - window_us) / 1000)
end

-- Counts a call for the person and for the address, unless one of them has reached its limit. In
-- that case, returns PERSON or ADDRESS, and the ms to wait. `limits` is `count,window_ms` for the
-- person and for the address, each 0 if there is no limit; an empty string means that there are no
-- limits. Beyond MAX_RATES members, those that would be removed soonest are dropped, so their whole
-- burst is allowed again.
local function count_call(call, person, address, limits)
  if limits == '' then return nil end
  local of_person, of_address = call .. '|p|' .. person, call .. '|a|' .. address
  local person_count, person_ms, address_count, address_ms = string.match(limits, '^(%d+),(%d+),(%d+),(%d+)$')
  local full_us = redis.call('ZMSCORE', RATES, of_person, of_address)
  local person_full_us, address_full_us, wait_ms
  if person_count ~= '0' then
    person_full_us, wait_ms = after_call(full_us[1], person_count, person_ms)
    if not person_full_us then return 'PERSON', wait_ms end
  end
  if address_count ~= '0' then
    address_full_us, wait_ms = after_call(full_us[2], address_count, address_ms)
    if not address_full_us then return 'ADDRESS', wait_ms end
  end
  local added
  if person_full_us and address_full_us then
    added = redis.call('ZADD', RATES, person_full_us, of_person, address_full_us, of_address)
  else
    added = redis.call('ZADD', RATES, person_full_us or address_full_us, person_full_us and of_person or of_address)
  end
  if added > 0 and redis.call('ZCARD', RATES) > MAX_RATES then
    redis.call('ZREMRANGEBYRANK', RATES, 0, RATES_DROPPED - 1)
  end
end
