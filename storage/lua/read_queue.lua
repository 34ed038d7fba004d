--[[ The line at one version: who is called, who departed, and the room. Looking lets the next change hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
Replies   QUEUE epoch version concert_version round serving tail departed slots_taken passes_issued room_status
          opened_ms grace_until_ms now_ms [count number]...  (departed: the bytes of the bit string from that of the serving number on;
          opened_ms: '' before; counts: what went through, by name) | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted_line')
local room, status = queue_state(), room_status()
local at = redis.call('HMGET', STATE, 'epoch', 'version', 'passes_issued', 'concert_version')
local departed = redis.call('GETRANGE', DEPARTED, room.base / 8 + math.floor(room.serving / 8),
  room.base / 8 + math.floor(room.tail / 8))
local opened_ms = room.is_opened and string.format('%d', room.opened_ms or room.opens_ms) or ''
local reply = {'QUEUE', at[1], at[2], at[4], room.round, room.serving, room.tail, departed, redis.call('ZCARD', SLOTS),
  at[3], status, opened_ms, string.format('%d', grace_until_ms), string.format('%d', now)}
for _, word in ipairs(redis.call('HGETALL', FLOW)) do reply[#reply + 1] = word end
return reply
