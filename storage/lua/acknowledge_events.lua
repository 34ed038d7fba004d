--[[ Acknowledge events for a group, and remove from the stream all events before the first one that
a group has not acknowledged yet.
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
