--[[ Remove the caps at lower capacities that MongoDB can no longer store, because the epoch of the
concert was raised after they were proposed. The caps of a later proposal are kept.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   proposal     the last one made before the epoch was raised
Replies   DROPPED | NO_PROPOSAL | UNKNOWN | RECOVERING
]]
-- @include prologue stock_and_holds notify
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local text = redis.call('HGET', STATE, 'proposed')
if not text or cjson.decode(text).id ~= ARGV[2] then return {'NO_PROPOSAL'} end
redis.call('HDEL', STATE, 'proposed')
commit()
return {'DROPPED'}
