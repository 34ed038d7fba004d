--[[ Stand in line, once: a person who has a living entry keeps it.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   person
Replies   ENTRY record | NOT_OPEN | UNKNOWN | RECOVERING
]]
-- @include enter change queue
local refusal = enter(ARGV[1], '')
if refusal then return refusal end
local person = ARGV[2]
local room = redis.call('HMGET', STATE, 'room_is_on', 'status', 'sales_end_ms', 'heartbeat_timeout_ms')
if room[1] ~= '1' or room[2] ~= 'PUBLISHED' or now >= tonumber(room[3]) then return {'NOT_OPEN'} end
local entry = read_entry(person)
if is_living(entry) then
  if entry.state == 'WAITING' and not spoken_for(entry) then
    stay_until(person, entry, now + tonumber(room[4]))
    write_entry(person, entry)
    changed()
  end
  return {'ENTRY', cjson.encode(entry)}
end
local number = redis.call('HINCRBY', STATE, 'tail', 1)
entry = {number = number, state = 'WAITING', joined_ms = now, deadline_ms = now, attached = entry and entry.attached}
redis.call('HSET', LINE, number, person)
if not spoken_for(entry) then stay_until(person, entry, now + tonumber(room[4])) end
local text = write_entry(person, entry)
changed(true)
return {'ENTRY', text}
