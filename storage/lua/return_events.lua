--[[ Return events that a group could not handle for an external reason. This try does not count.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2*]  id, tries    two per event; a report about an earlier try has no effect
Replies   RETURNED
]]
-- @include prologue consumer_group
for index = 2, #ARGV, 2 do
  local id, tries = ARGV[index], ARGV[index + 1]
  if is_at(ARGV[1], id, tries) then retry_later(ARGV[1], id, tries - 1) end
end
return {'RETURNED'}
