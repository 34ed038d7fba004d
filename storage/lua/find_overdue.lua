--[[ Find purchases that were begun but not recorded in time, and must be settled.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   limit        maximum number of holds to return
Replies   OVERDUE hold_id... | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local reply = {'OVERDUE'}
local soonest = redis.call('ZRANGE', BUYING, 0, ARGV[2] - 1, 'WITHSCORES')
for index = 1, #soonest, 2 do
  if is_due(tonumber(soonest[index + 1])) then reply[#reply + 1] = soonest[index] end
end
return reply
