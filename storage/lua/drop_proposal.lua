--[[ Remove the caps of a proposal to lower capacities. MongoDB can no longer store the proposal,
because the epoch of the concert was raised after it was made. The caps of a later proposal stay.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   proposal     the last one made before the epoch was raised
Replies   DROPPED | NO_PROPOSAL | UNKNOWN | RECOVERING
]]
-- @include prologue stock notify
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local text = redis.call('HGET', STATE, 'proposed')
if not text or cjson.decode(text).id ~= ARGV[2] then return {'NO_PROPOSAL'} end
redis.call('HDEL', STATE, 'proposed')
commit()
return {'DROPPED'}
