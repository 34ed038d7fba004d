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
  full_us = tonumber(full_us)
  if full_us < now_us or full_us > now_us + 2 * window_us then full_us = now_us end
  local next_full_us = full_us + math.floor(window_us / count)
  if next_full_us <= now_us + window_us then return string.format('%d', next_full_us) end
  return nil, math.ceil((next_full_us - now_us - window_us) / 1000)
end

-- The times by member, in which the calls of this script count before they are written; the members
-- whose times have changed; and the number of members, if any of those read was missing.
local rate_times, changed_rates, rate_count = {}, {}, 0

local function rate_members(call, person, address)
  return call .. '|p|' .. person, call .. '|a|' .. address
end

local function read_rates(members)
  local is_any_new = false
  for index, full_us in ipairs(redis.call('ZMSCORE', RATES, unpack(members))) do
    rate_times[members[index]] = full_us or 0
    is_any_new = is_any_new or not full_us
  end
  if is_any_new then rate_count = redis.call('ZCARD', RATES) end
end

-- Counts a call for the person and for the address, unless one of them has reached its limit. In
-- that case, returns PERSON or ADDRESS, and the ms to wait. `limits` is `count,window_ms` for the
-- person and for the address, each 0 if there is no limit; an empty string means that there are no
-- limits. The members must have been read, and `write_rates` must follow.
local function check_rates(call, person, address, limits)
  if limits == '' then return nil end
  local of_person, of_address = rate_members(call, person, address)
  local person_count, person_ms, address_count, address_ms = string.match(limits, '^(%d+),(%d+),(%d+),(%d+)$')
  local person_full_us, address_full_us, wait_ms
  if person_count ~= '0' then
    person_full_us, wait_ms = after_call(rate_times[of_person], person_count, person_ms)
    if not person_full_us then return 'PERSON', wait_ms end
  end
  if address_count ~= '0' then
    address_full_us, wait_ms = after_call(rate_times[of_address], address_count, address_ms)
    if not address_full_us then return 'ADDRESS', wait_ms end
  end
  if person_full_us then rate_times[of_person], changed_rates[of_person] = person_full_us, true end
  if address_full_us then rate_times[of_address], changed_rates[of_address] = address_full_us, true end
end

-- Writes the times that have changed. Beyond MAX_RATES members, those that would be removed soonest
-- are dropped, so their whole burst is allowed again.
local function write_rates()
  local words = {}
  for member in pairs(changed_rates) do words[#words + 1], words[#words + 2] = rate_times[member], member end
  if #words == 0 then return end
  local added = redis.call('ZADD', RATES, unpack(words))
  if added > 0 and rate_count + added > MAX_RATES then redis.call('ZREMRANGEBYRANK', RATES, 0, RATES_DROPPED - 1) end
end

-- Counts one call, as `check_rates` does, in a script that has only this one.
local function count_call(call, person, address, limits)
  if limits == '' then return nil end
  read_rates({rate_members(call, person, address)})
  local scope, wait_ms = check_rates(call, person, address, limits)
  if scope then return scope, wait_ms end
  write_rates()
end
