--[[ Record that a group could not handle an event because of the event itself. The event is tried
again after a pause that doubles with each try, and becomes a dead letter after the last one. A
report about an earlier try has no effect.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2]   id
ARGV[3]   tries        number of the try that failed
ARGV[4]   error
ARGV[5]   max_tries
ARGV[6]   max_dead_letters
Replies   RETRY_LATER | DEAD_LETTERED | FULL | NOT_PENDING
]]
-- @include prologue consumer_group
local group, id, tries = ARGV[1], ARGV[2], ARGV[3]
if not is_at(group, id, tries) then return {'NOT_PENDING'} end
if tonumber(tries) < tonumber(ARGV[5]) then
  retry_later(group, id, tries)
  return {'RETRY_LATER'}
end
local outcome = to_dead_letter(group, id, tries, ARGV[4], ARGV[6])
if outcome == 'FULL' then return {'FULL'} end
if outcome == 'NOT_PENDING' then return {'NOT_PENDING'} end
return {'DEAD_LETTERED'}
