--[[ Where one person stands, at one moment: exact, and without the bits of the whole line.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   person
Replies   POSITION record grace_until_ms position  (position: '' for who does not wait, or has no number yet) | NO_ENTRY
          | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local entry, room = read_entry(ARGV[2]), queue_state()
if not entry then return {'NO_ENTRY'} end
local number, position = is_waiting(entry) and number_of(entry), ''
if number then
  local departed = 0
  if number > room.serving + 1 then
    departed = redis.call('BITCOUNT', DEPARTED, room.base + room.serving + 1, room.base + number - 1, 'BIT')
  end
  position = number - room.serving - departed
end
return {'POSITION', entry_json(ARGV[2], entry), string.format('%d', grace_until_ms), position}
