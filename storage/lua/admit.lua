--[[ One run of the admission worker: end calls, passes and absences that are over, then call people in order under both
caps: slots, and admissions in any 60 seconds. Bounded; a run that hit a bound says so and is to be repeated at once.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   bound        the most to end, and the most numbers to look at
Replies   RAN called is_to_be_repeated | UNKNOWN | RECOVERING
]]
-- @include enter change queue admission
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
local bound = tonumber(ARGV[2])
local ended = end_overdue(bound) + work_off_leases(bound)
local room = redis.call('HMGET', STATE, 'room_is_on', 'status', 'sales_start_ms', 'sales_end_ms', 'total_active_users',
  'new_users_per_minute', 'pass_claim_timeout_ms', 'serving', 'tail')
local serving, tail = tonumber(room[8]), tonumber(room[9])
local is_open = room[1] == '1' and room[2] == 'PUBLISHED' and now >= tonumber(room[3]) and now < tonumber(room[4])
local free, second = 0, math.floor(now / 1000)
if is_open then
  free = math.min(tonumber(room[5]) - redis.call('ZCARD', SLOTS), tonumber(room[6]) - admitted_lately(second))
end

local called, looked, cursor = 0, 0, serving
while cursor < tail and looked < bound do
  local number = cursor + 1
  local person = redis.call('HGET', LINE, number)
  if person then
    local alive_until = redis.call('ZSCORE', ALIVE, person)
    if alive_until and is_due(tonumber(alive_until)) then
      end_entry(person, read_entry(person), 'EXPIRED')
      ended = ended + 1
    else
      if called >= free then break end
      call_person(person, now + tonumber(room[7]))
      redis.call('HDEL', LINE, number)
      called = called + 1
    end
  end
  cursor, looked = number, looked + 1
end
if called > 0 then redis.call('HINCRBY', ADMISSIONS, second, called) end
if cursor > serving then redis.call('HSET', STATE, 'serving', cursor) end
if ended + called > 0 or cursor > serving then changed(true) end
local is_bounded = ended >= bound or looked >= bound
return {'RAN', called, is_bounded and 1 or 0}
