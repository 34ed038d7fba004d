-- What is told of a change: hints to whoever watches, events to whoever consumes, the wake-up of idle workers.
-- Leave with `changed` after a write that people are shown.
local MAX_EVENTS = 1000000
local MAX_CHANGES, KEPT_CHANGES = 8000, 6000
local hints = {}

-- Tells the processes that somebody watches, at most once until one of them has looked.
local function publish_hint(topic)
  if redis.call('HGET', STATE, 'hinted_' .. topic) ~= '1' then
    redis.call('HSET', STATE, 'hinted_' .. topic, '1')
    redis.call('PUBLISH', string.gsub(STATE, 'state$', 'hints'), topic)
  end
end

-- The first deadline of an idle concert starts the workers' clock, and wakes them.
local function wake()
  if not is_idle then return end
  is_idle = false
  redis.call('HSET', STATE, 'is_idle', '0', 'worker_ms', now)
  local channel, concert = string.match(STATE, '^(.*){c:(.*)}:state$')
  redis.call('PUBLISH', channel .. 'work', concert)
end

-- Appends to the concert's stream. Consumers trim it; where none did, the oldest of a million go.
local function append_event(event, person, entry_id, round, ...)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MAX_EVENTS, '*', 'event', event, 'person', person, 'place', entry_id,
    'round', round, ...)
end

-- Names who has something new. A reader that knows less than the oldest named reads everybody.
local function mark_changed(version)
  local named = 0
  for person in pairs(touched_people) do
    redis.call('ZADD', CHANGES, version, person)
    named = named + 1
  end
  if named == 0 then return end
  hints.people = true
  local size = redis.call('ZCARD', CHANGES)
  if size > MAX_CHANGES then
    local last = redis.call('ZRANGE', CHANGES, size - KEPT_CHANGES - 1, size - KEPT_CHANGES - 1, 'WITHSCORES')
    redis.call('ZREMRANGEBYSCORE', CHANGES, '-inf', last[2])
    redis.call('HSET', STATE, 'changes_floor', last[2])
  end
end

-- Writes the counters, raises the version, keeps the clock, and hints at what changed: stock by itself, people that
-- were written, and the line where `line_too` says so. Days of expiry are the expiry worker's to set.
local function commit(line_too)
  for field, by in pairs(touched_tiers) do
    if by ~= 0 then
      redis.call('HINCRBY', TIERS, field, by)
      hints.stock = true
    end
  end
  redis.call('HSET', STATE, 'now_ms', now)
  mark_changed(redis.call('HINCRBY', STATE, 'version', 1))
  if line_too then hints.line = true end
  for topic in pairs(hints) do publish_hint(topic) end
  wake()
end
