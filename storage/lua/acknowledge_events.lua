--[[ Acknowledge events for a group. Events before the first one that some group has not
acknowledged are removed from the stream.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2*]  id
Replies   ACKNOWLEDGED count   (count: events that were still pending)
]]
-- @include prologue consumer_group
if redis.call('EXISTS', EVENTS) == 0 then return {'ACKNOWLEDGED', 0} end
local count = 0
for index = 2, #ARGV do count = count + redis.call('XACK', EVENTS, ARGV[1], ARGV[index]) end
trim()
return {'ACKNOWLEDGED', count}
