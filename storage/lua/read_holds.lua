--[[ Holds by id, as they are now.
KEYS[1..9]  state tiers units free holds deadlines buying people purchases
ARGV[1]   incarnation  the one this connection saw
ARGV[2*]  hold_ids
Replies   HOLDS grace_until_ms record...  ('' for an id the store does not know) | UNKNOWN | RECOVERING
]]
-- @include enter
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
local reply = {'HOLDS', string.format('%d', grace_until_ms)}
for index = 2, #ARGV do reply[#reply + 1] = redis.call('HGET', HOLDS, ARGV[index]) or '' end
return reply
