--[[ Read how many units one person holds and owns at a concert, and every active hold.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
Replies   PERSON held owned grace_until_ms epoch version [hold_id record]... | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local text = redis.call('HGET', PEOPLE, ARGV[2])
local person = text and cjson.decode(text) or {held = 0, owned = 0, holds = {}}
local reply = {'PERSON', person.held, person.owned, string.format('%d', grace_until_ms), epoch_and_version()}
for _, id in ipairs(person.holds) do
  reply[#reply + 1] = id
  reply[#reply + 1] = redis.call('HGET', HOLDS, id)
end
return reply
