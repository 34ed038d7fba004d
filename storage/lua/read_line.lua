--[[ The line at one version: who is called, who departed, and the room. Looking lets the next change hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
Replies   LINE epoch version serving tail departed slots_taken passes_issued room_is_on
          (departed: the bytes of the bit string from that of the serving number on) | UNKNOWN | RECOVERING
]]
-- @include enter
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted_line')
local room = redis.call('HMGET', STATE, 'epoch', 'version', 'serving', 'tail', 'passes_issued', 'room_is_on')
local from = math.floor(tonumber(room[3]) / 8)
local departed = redis.call('GETRANGE', DEPARTED, from, math.floor(tonumber(room[4]) / 8))
return {'LINE', room[1], room[2], room[3], room[4], departed, redis.call('ZCARD', SLOTS), room[5], room[6]}
