--[[ A group could not handle events, and it was not their fault: as if this try had not been made.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2*]  id, tries    two an event; news of an earlier try does nothing
Replies   RETURNED
]]
-- @include prologue consumer_group
for index = 2, #ARGV, 2 do
  local id, tries = ARGV[index], ARGV[index + 1]
  if is_at(ARGV[1], id, tries) then retry_later(ARGV[1], id, tries - 1) end
end
return {'RETURNED'}
