--[[ Read the people whose entries or holds have changed since a version, oldest change first.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   version      the last one known to the reader
ARGV[3]   limit        maximum number of people, not counting others with the last one's version
Replies   CHANGES {epoch version floor [person version]...}  (floor: changes up to this version may
          be missing) | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state snapshots
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
return {'CHANGES', change_fields(ARGV[2], ARGV[3])}
