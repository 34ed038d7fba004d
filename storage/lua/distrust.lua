--[[ Stop trusting this concert's state, so that calls are refused until a recovery has rebuilt it
from MongoDB. With `from_scratch`, the concert's data in the store is deleted as well, except the
queue's events, which exist only there. A repeated call does nothing once the recovery has finished.
KEYS      of the concert, in the order of keys.py
ARGV[1]   epoch         raised in MongoDB for this
ARGV[2]   from_scratch  1 to delete the state, otherwise 0
Replies   DISTRUSTED | STALE epoch | UNKNOWN
]]
-- @include prologue
local epoch = redis.call('HGET', STATE, 'epoch')
if not epoch then return {'UNKNOWN'} end
if tonumber(epoch) >= tonumber(ARGV[1]) then return {'STALE', epoch} end
redis.call('HSET', STATE, 'incarnation', '')
for _, key in ipairs(KEYS) do
  if ARGV[2] == '1' and key ~= FLOW and key ~= EVENTS and key ~= DEADLETTERS then redis.call('UNLINK', key) end
end
return {'DISTRUSTED'}
