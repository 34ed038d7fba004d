-- The first steps of a script: name the keys, read the clock, and check that this store's state is
-- trusted.
local STATE, TIERS, UNITS, FREE, HOLDS, DEADLINES, BUYING, PEOPLE, PURCHASES, CHANGES = unpack(KEYS)
local ENTRIES, WAITERS, DEPARTED, SLOTS, PRESENCE_DEADLINES, LEASES, CONNECTIONS, ADMISSIONS = unpack(KEYS, 11)
local RANKS, LOT_ORDER, FLOW, EVENTS, DEADLETTERS, COMMANDS, RATES = unpack(KEYS, 19)
local WORKER_GAP_MS = 5000
local BUYING_MS = 60000
local now, worker_ms, grace_until_ms, is_trusted, is_idle

-- Returns a reply that refuses the call, or nil if the call is allowed. `epoch` is the epoch of the
-- calling recovery, or ''.
local function check_incarnation(incarnation, epoch)
  local seen = redis.call('HMGET', STATE, 'incarnation', 'mark', 'now_ms', 'worker_ms', 'grace_until_ms', 'is_idle')
  if not seen[3] then return {'UNKNOWN'} end
  local clock = redis.call('TIME')
  now = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(seen[3]))
  worker_ms, grace_until_ms = tonumber(seen[4]), tonumber(seen[5])
  is_trusted, is_idle = seen[1] == incarnation, seen[6] == '1'
  if epoch ~= '' then
    if seen[2] ~= epoch .. ':' .. incarnation then return {'RECOVERING'} end
  elseif not is_trusted then
    return {'RECOVERING'}
  end
end

-- Returns whether deadlines take effect. They do not take effect while no worker runs for this
-- concert, or during the grace period that follows.
local function is_counting()
  return is_trusted and now >= grace_until_ms and now - worker_ms <= WORKER_GAP_MS
end

local function is_due(deadline_ms)
  return deadline_ms <= now and is_counting()
end

-- Returns the epoch and the version of the concert. Clients use them to compare objects.
local function epoch_and_version()
  return unpack(redis.call('HMGET', STATE, 'epoch', 'version'))
end

-- Returns the earliest time at which a deadline can take effect. People are shown this time.
local function effective_deadline(deadline_ms)
  return string.format('%d', math.max(deadline_ms, grace_until_ms))
end
