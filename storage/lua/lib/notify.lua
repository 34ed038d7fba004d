-- Functions that report a change with a hint for the hubs, events in the stream, and a wake-up for
-- idle workers. A script that has changed data shown to people must end with `commit`.
local MAX_EVENTS = 1000000
local MAX_CHANGES, KEPT_CHANGES = 8000, 6000
-- The trace of the call that causes events, which is stored in them; '' if it is not traced.
local traceparent = ''

-- Publishes a hint with the epoch and the version, unless no hub has called read_snapshot since the
-- last hint. The version has already been raised.
local function publish_hint(epoch, version)
  if redis.call('HSETNX', STATE, 'hinted', '1') == 1 then
    redis.call('PUBLISH', string.gsub(STATE, 'state$', 'hints'), epoch .. ':' .. version)
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
  local words = {'event', event, 'person', person, 'place', entry_id, 'round', round, ...}
  if traceparent ~= '' then words[#words + 1], words[#words + 2] = 'traceparent', traceparent end
  redis.call('XADD', EVENTS, 'MAXLEN', '~', MAX_EVENTS, '*', unpack(words))
end

-- Returns what `commit` needs: epoch, next version, the people whose entries or holds have changed,
-- and the version up to which recorded changes must be dropped because there are too many.
local function read_for_commit(epoch, version)
  local plan = {epoch = epoch, version = string.format('%d', version + 1), people = {}}
  for person in pairs(touched_people) do plan.people[#plan.people + 1] = person end
  local size = #plan.people > 0 and redis.call('ZCARD', CHANGES) or 0
  if size > 0 and size + #plan.people > MAX_CHANGES then
    local last = math.min(size, size + #plan.people - KEPT_CHANGES) - 1
    plan.floor = redis.call('ZRANGE', CHANGES, last, last, 'WITHSCORES')[2]
  end
  return plan
end

-- Records the version at which the entries or holds of these people changed. A reader whose version
-- is below the floor must read all entries.
local function mark_changed(plan)
  local words = {}
  for _, person in ipairs(plan.people) do words[#words + 1], words[#words + 2] = plan.version, person end
  each_chunk(words, function(...) redis.call('ZADD', CHANGES, ...) end)
  if plan.floor then
    redis.call('ZREMRANGEBYSCORE', CHANGES, '-inf', plan.floor)
    redis.call('HSET', STATE, 'changes_floor', plan.floor)
  end
end

-- Writes the counters, raises the version, stores the clock, records which people changed,
-- publishes a hint, and wakes idle workers. The expiry worker sets the time at which keys expire.
-- `plan` is what `read_for_commit` returned after the last change, if it was called.
local function commit(plan)
  plan = plan or read_for_commit(epoch_and_version())
  for field, by in pairs(touched_tiers) do
    if by ~= 0 then redis.call('HINCRBY', TIERS, field, by) end
  end
  redis.call('HSET', STATE, 'now_ms', now, 'version', plan.version)
  mark_changed(plan)
  publish_hint(plan.epoch, plan.version)
  wake()
end
