--[[ End an entry that is waiting, called or admitted. A freed slot is given to the next person
immediately. An entry that has already ended is returned unchanged.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   person
ARGV[3]   traceparent  of the caller, or ''
Replies   ENTRY record grace_until_ms position epoch version | NO_ENTRY | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds notify queue_state entry_state entries admission
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
traceparent = ARGV[3]
local entry = read_entry(ARGV[2])
if not entry then return {'NO_ENTRY'} end
if is_active(ARGV[2], entry) then
  local had_slot = entry.state ~= 'WAITING'
  end_entry(ARGV[2], entry, 'LEFT')
  for _, id in ipairs(read_person(ARGV[2]).holds) do
    local record = read_hold(id)
    if record.state == 'HELD' and record.pass == entry.id then end_hold(id, record, 'RELEASED') end
  end
  if had_slot then call_next(REFILL, REFILL) end
  commit()
end
return entry_reply('ENTRY', ARGV[2], entry)
