-- Functions that report a change with a hint for the hubs, events in the stream, and a wake-up for
-- idle workers. A script that has changed data shown to people must end with `commit`.
local MAX_EVENTS = 1000000
local MAX_CHANGES, KEPT_CHANGES = 8000, 6000

-- Publishes a hint with the epoch and the version, unless no hub has called read_snapshot since the
-- last hint. The version has already been raised.
local function publish_hint()
  if redis.call('HSETNX', STATE, 'hinted', '1') == 1 then
    local epoch, version = epoch_and_version()
    redis.call('PUBLISH', string.gsub(STATE, 'state$', 'hints'), tostring(epoch) .. ':' .. tostring(version))
  end
end

-- Starts the workers' clock and wakes the workers when an idle concert gets its first deadline.
local function wake()
  if not is_idle then return end
  is_idle = false
  redis.call('HSET', STATE, 'is_idle', '0', 'worker_ms', now)
  local channel, concert = string.match(STATE, '^(.*){c:(.*)}:state$')
  redis.call('PUBLISH', channel .. 'work', concert)
end

-- Appends an event to the concert's stream. Consumers trim the stream; if there are none, the
-- oldest events beyond a million are dropped.
local function append_event(event, person, entry_id, round, ...)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', event, 'person', person, 'place', entry_id,
    'round', round, ...)
end

-- Records the version at which the entries or holds of these people changed. A reader whose version
-- is below the floor must read all entries.
local function mark_changed(version)
  local count = 0
  for person in pairs(touched_people) do
    redis.call('ZADD', CHANGES, version, person)
    count = count + 1
  end
  if count == 0 then return end
  local size = redis.call('ZCARD', CHANGES)
  if size > MAX_CHANGES then
    local last = redis.call('ZRANGE', CHANGES, size - KEPT_CHANGES - 1, size - KEPT_CHANGES - 1, 'WITHSCORES')
    redis.call('ZREMRANGEBYSCORE', CHANGES, '-inf', last[2])
    redis.call('HSET', STATE, 'changes_floor', last[2])
  end
end

-- Writes the counters, raises the version, stores the clock, records which people changed,
-- publishes a hint, and wakes idle workers. The expiry worker sets the time at which keys expire.
local function commit()
  for field, by in pairs(touched_tiers) do
    if by ~= 0 then redis.call('HINCRBY', TIERS, field, by) end
  end
  redis.call('HSET', STATE, 'now_ms', now)
  mark_changed(redis.call('HINCRBY', STATE, 'version', 1))
  publish_hint()
  wake()
end
