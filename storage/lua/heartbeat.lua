--[[ Extend the presence of a person without a connection. The deadline can only move later.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
Replies   ENTRY record grace_until_ms position epoch version | NO_ENTRY | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local entry = read_entry(ARGV[2])
if not is_active(ARGV[2], entry) then return {'NO_ENTRY'} end
if entry.state == 'WAITING' and not is_present(entry) then
  extend_presence(ARGV[2], entry, now + tonumber(redis.call('HGET', STATE, 'heartbeat_timeout_ms')))
end
return entry_reply('ENTRY', ARGV[2], entry)
