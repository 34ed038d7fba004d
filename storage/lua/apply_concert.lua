--[[ Copy a concert from MongoDB, unless the store has this version or a newer one. The state of a
new concert is created, but is not trusted yet. A new round of the room empties the queue: entries
of earlier rounds count as ended without being rewritten. Reopening a sale that has ended also
empties the queue.
KEYS      of the concert, in the order of keys.py
ARGV[1]   version       of the concert in MongoDB
ARGV[2]   expire_at_ms  unix time at which every key of the concert expires
ARGV[3]   settings      JSON object of state fields: sale, limits, room
ARGV[4*]  tier, top, price_minor, capacity, rules  five per tier; rules: see lib/tier_rules.lua
Replies   APPLIED | CURRENT version
          | LOST  (the store has evicted a key of this concert, which must be rebuilt)
          | UNDECIDED version proposal  (a lower capacity was proposed more than 15 s ago, and
            its proposer may have crashed)
]]
-- @include prologue stock notify queue_state sale_end lost_keys
local DECIDED_WITHIN_MS = 15000
local known = redis.call('HMGET', STATE, 'concert_version', 'round', 'base', 'tail', 'now_ms', 'opened_ms', 'opens_ms',
  'has_lottery', 'proposed', 'worker_ms')
local version, settings = tonumber(known[1] or '-1'), cjson.decode(ARGV[3])
local clock = redis.call('TIME')
local now_ms = math.max(clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(known[5] or '0'))
if version > -1 and has_lost_keys() then return {'LOST'} end
if version >= tonumber(ARGV[1]) then
  local proposed = known[9] and cjson.decode(known[9])
  if proposed and proposed.at_ms + DECIDED_WITHIN_MS <= now_ms then return {'UNDECIDED', version, proposed.id} end
  return {'CURRENT', version}
end
now, worker_ms = now_ms, tonumber(known[10] or '0')
local was_over = queue_state().is_over
local opens_again = was_over and settings.status == 'PUBLISHED' and now < settings.sales_end_ms
if version > -1 and not known[6] and known[8] == '0' and now_ms >= tonumber(known[7]) then
  -- The queue has already opened under the previous settings; the new settings do not undo that.
  redis.call('HSET', STATE, 'opened_ms', now_ms)
end
if version == -1 then
  redis.call('HSET', STATE, 'incarnation', '', 'epoch', 0, 'version', 0, 'now_ms', now_ms, 'worker_ms', now_ms,
    'grace_until_ms', 0, 'serving', 0, 'tail', 0, 'base', 0, 'passes_issued', 0, 'is_idle', '1')
elseif opens_again or settings.round > tonumber(known[2]) then
  if was_over then end_sale() end
  -- A new round begins: waiting people lose their entries, and numbers start at 1 again. Their
  -- departed bits start at the next whole byte.
  local base = math.floor((known[3] + known[4]) / 8 + 1) * 8
  redis.call('HSET', STATE, 'base', base, 'serving', 0, 'tail', 0, 'passes_issued', 0)
  redis.call('HDEL', STATE, 'frozen', 'drawn', 'digest')
  -- A sale that ended while it was being extended keeps its round, so no lottery is drawn twice.
  if settings.round > tonumber(known[2]) then
    redis.call('HDEL', STATE, 'opened_ms')
  else
    redis.call('HSETNX', STATE, 'opened_ms', now_ms)
  end
  redis.call('UNLINK', WAITERS, PRESENCE_DEADLINES, RANKS, LOT_ORDER, FLOW)
  append_event('reset', '', base, settings.round)
end
if was_over and settings.status == 'CANCELLED' and queue_state().status ~= 'CANCELLED' then
  redis.call('HSET', STATE, 'ended_before_cancel', '1')
end
redis.call('HSET', STATE, 'concert_version', ARGV[1], 'expire_at_ms', ARGV[2])
-- Lower capacities proposed for an earlier version are part of this version, or will never be
-- stored.
redis.call('HDEL', STATE, 'proposed')
for field, value in pairs(settings) do redis.call('HSET', STATE, field, value) end
for index = 4, #ARGV, 5 do
  local tier = ARGV[index]
  redis.call('HSET', TIERS, tier .. '|top', ARGV[index + 1], tier .. '|price', ARGV[index + 2], tier .. '|capacity',
    ARGV[index + 3], tier .. '|rules', ARGV[index + 4])
  redis.call('HSETNX', TIERS, tier .. '|next', 1)
  for _, counter in ipairs({'held', 'sold', 'withdrawn'}) do redis.call('HSETNX', TIERS, tier .. '|' .. counter, 0) end
end
redis.call('HINCRBY', STATE, 'version', 1)
publish_hint(epoch_and_version())
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[2]) end
return {'APPLIED'}
