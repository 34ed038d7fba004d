--[[ Deliver events from the concert's stream to a group: first those that are due for another try,
then new ones. A missing group is created. An event that was delivered too often without being
acknowledged, perhaps because it crashes its handlers, becomes a dead letter.
KEYS      of the concert, in the order of keys.py
ARGV[1]   group
ARGV[2]   limit        maximum number of events to deliver, and of pending events to examine
ARGV[3]   after        id of the last pending event that was examined; '-' starts at the first
ARGV[4]   max_tries
ARGV[5]   max_dead_letters
Replies   EVENTS after event...  (event: {id tries [name value]...})
]]
-- @include prologue consumer_group
local group, limit, first = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('EXISTS', EVENTS) == 0 then return {'EVENTS', '-'} end
local reply = {'EVENTS', '-'}

local function deliver(entry, tries)
  local event = {entry[1], tries}
  for _, word in ipairs(entry[2]) do event[#event + 1] = word end
  reply[#reply + 1] = event
end

if first ~= '-' then first = '(' .. first end
local examined_events = pending(group, first, '+', limit)
for _, seen in ipairs(examined_events) do
  local id, holder, idle_ms, tries = unpack(seen)
  if is_due_again(holder, idle_ms, tries) then
    if holder == HANDLING and tries >= tonumber(ARGV[4]) then
      to_dead_letter(group, id, tries, 'no handler acknowledged it', ARGV[5])
    else
      -- For an event that is no longer in the stream, XCLAIM returns nothing and stops tracking it.
      local claimed = redis.call('XCLAIM', EVENTS, group, HANDLING, 0, id)[1]
      if claimed then deliver(claimed, tries + 1) end
    end
  end
end
if #examined_events == limit then reply[2] = examined_events[limit][1] end

local remaining = limit - (#reply - 2)
if remaining > 0 then
  local new = redis.call('XREADGROUP', 'GROUP', group, HANDLING, 'COUNT', remaining, 'STREAMS', EVENTS, '>')
  for _, entry in ipairs(new and new[1][2] or {}) do deliver(entry, 1) end
end
return reply
