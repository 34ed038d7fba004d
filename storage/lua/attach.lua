--[[ Say which people have a socket at a process, or have none there any more. Older news does nothing.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   process
ARGV[3]   lease_ms     how long the process's word counts without being renewed
ARGV[4]   said_before  '1' once this name has said anything
ARGV[5*]  person, news  two a person; news rises with each word of this process, and is negative for "gone"
Replies   ATTACHED | LEASE_OVER | UNKNOWN | RECOVERING
]]
-- @include enter change news line queue
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
local process = ARGV[2]
local lease = redis.call('ZSCORE', LEASES, process)
if not lease and ARGV[4] == '1' then return {'LEASE_OVER'} end
if lease and is_due(tonumber(lease)) then return {'LEASE_OVER'} end
redis.call('ZADD', LEASES, 'GT', now + tonumber(ARGV[3]), process)
wake()
local grace_ms = tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms'))
for index = 5, #ARGV, 2 do
  local person, news = ARGV[index], tonumber(ARGV[index + 1])
  local entry = read_entry(person)
  local marks = entry and (entry.attached or {})
  if entry and math.abs(news) > math.abs(marks[process] or 0) then
    forget_dead(marks)
    marks[process], entry.attached = news, marks
    if news > 0 then
      redis.call('ZADD', ATTACHED, 0, process .. '|' .. person)
    else
      redis.call('ZREM', ATTACHED, process .. '|' .. person)
    end
    if is_waiting(entry) then
      if spoken_for(entry) then
        stay_while_spoken_for(person, entry, grace_ms)
      else
        stay_until(person, entry, now + grace_ms)
      end
    end
    redis.call('HSET', ENTRIES, person, cjson.encode(entry))
  end
end
return {'ATTACHED'}
