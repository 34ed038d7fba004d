--[[ Read holds by id.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2*]  hold_ids
Replies   HOLDS grace_until_ms epoch version record...  (record: '' for an unknown id)
          | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local reply = {'HOLDS', string.format('%d', grace_until_ms), epoch_and_version()}
for index = 2, #ARGV do reply[#reply + 1] = redis.call('HGET', HOLDS, ARGV[index]) or '' end
return reply
