--[[ A group could not handle an event, and it was the event's fault: try it again after a pause that doubles with each
try, and after the last one make it a dead letter. News of an earlier try does nothing.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2]   id
ARGV[3]   tries        which one failed
ARGV[4]   error
ARGV[5]   max_tries
ARGV[6]   max_letters
Replies   PUT_OFF | BURIED | FULL | GONE
]]
-- @include enter consuming
local group, id, tries = ARGV[1], ARGV[2], ARGV[3]
if not is_at(group, id, tries) then return {'GONE'} end
if tonumber(tries) < tonumber(ARGV[5]) then
  put_off(group, id, tries)
  return {'PUT_OFF'}
end
local outcome = bury(group, id, tries, ARGV[4], ARGV[6])
if outcome == 'FULL' then return {'FULL'} end
if outcome == 'GONE' then return {'GONE'} end
return {'BURIED'}
