--[[ Find those orders that this store has not recorded at the given version or a later one.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2*]  order_id, version  two per order
Replies   UNRECORDED order_id... | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local reply = {'UNRECORDED'}
for index = 2, #ARGV, 2 do
  local text = redis.call('HGET', HOLDS, ARGV[index])
  if not text or cjson.decode(text).order_version < tonumber(ARGV[index + 1]) then reply[#reply + 1] = ARGV[index] end
end
return reply
