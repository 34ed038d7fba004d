--[[ Read one person's entry and its position at the same moment.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
Replies   ENTRY record grace_until_ms position epoch version  (position: '' for an entry
          that is not waiting or has no number yet) | NO_ENTRY | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds queue_state entry_state
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local entry = read_entry(ARGV[2])
if not entry then return {'NO_ENTRY'} end
return entry_reply('ENTRY', ARGV[2], entry)
