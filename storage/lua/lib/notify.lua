-- Notifications of a change: a hint for the hubs, events in the stream, a wake-up for idle workers.
-- A script that has written data shown to people ends with `commit`.
local MAX_EVENTS = 1000000
local MAX_CHANGES, KEPT_CHANGES = 8000, 6000

-- Publishes a hint, unless no hub has called read_snapshot since the last hint.
local function publish_hint()
  if redis.call('HSETNX', STATE, 'hinted', '1') == 1 then
    redis.call('PUBLISH', string.gsub(STATE, 'state$', 'hints'), 'changed')
  end
end

-- Starts the workers' clock at the first deadline of an idle concert, and wakes them.
local function wake()
  if not is_idle then return end
  is_idle = false
  redis.call('HSET', STATE, 'is_idle', '0', 'worker_ms', now)
  local channel, concert = string.match(STATE, '^(.*){c:(.*)}:state$')
  redis.call('PUBLISH', channel .. 'work', concert)
end

-- Appends to the stream of the concert. Consumers trim it; without consumers, the oldest events are
-- dropped beyond a million.
local function append_event(event, person, entry_id, round, ...)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', event, 'person', person, 'place', entry_id,
    'round', round, ...)
end

-- Records the version at which an entry or a hold of a person changed. A reader whose version is
-- below the floor reads all entries.
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

-- Writes the counters, raises the version, stores the clock, records who changed, and publishes a
-- hint. The expiry worker sets the time at which keys expire.
local function commit()
  for field, by in pairs(touched_tiers) do
    if by ~= 0 then redis.call('HINCRBY', TIERS, field, by) end
  end
  redis.call('HSET', STATE, 'now_ms', now)
  mark_changed(redis.call('HINCRBY', STATE, 'version', 1))
  publish_hint()
  wake()
end
