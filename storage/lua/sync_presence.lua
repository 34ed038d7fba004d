--[[ Record which people have connected to a process or disconnected from it. A report older than
the last one has no effect.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   process
ARGV[3]   lease_ms     how long the process's reports count without a renewal
ARGV[4]   is_known     '1' if this process has synced before
ARGV[5*]  person, sequence  two per person; rises with each sync, negative if disconnected
Replies   SYNCED | LEASE_EXPIRED | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local process = ARGV[2]
local lease = redis.call('ZSCORE', LEASES, process)
if not lease and ARGV[4] == '1' then return {'LEASE_EXPIRED'} end
if lease and is_due(tonumber(lease)) then return {'LEASE_EXPIRED'} end
redis.call('ZADD', LEASES, 'GT', now + tonumber(ARGV[3]), process)
wake()
local grace_ms = tonumber(redis.call('HGET', STATE, 'disconnect_grace_ms'))
for index = 5, #ARGV, 2 do
  local person, sequence = ARGV[index], tonumber(ARGV[index + 1])
  local entry = read_entry(person)
  local marks = entry and (entry.presence or {})
  if entry and math.abs(sequence) > math.abs(marks[process] or 0) then
    drop_dead_marks(marks)
    marks[process], entry.presence = sequence, marks
    if sequence > 0 then
      redis.call('ZADD', CONNECTIONS, 0, process .. '|' .. person)
    else
      redis.call('ZREM', CONNECTIONS, process .. '|' .. person)
    end
    if is_waiting(entry) then
      if is_present(entry) then
        suspend_presence_deadline(person, entry, grace_ms)
      else
        extend_presence(person, entry, now + grace_ms)
      end
    end
    redis.call('HSET', ENTRIES, person, cjson.encode(entry))
  end
end
return {'SYNCED'}
