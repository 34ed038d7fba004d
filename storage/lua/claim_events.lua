--[[ Deliver events of the concert's stream to a group: first those due to be tried again, then new
ones. Creates the group. An event that was delivered too often without an acknowledgement, because
it crashes its handlers, becomes a dead letter.
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

local function give(entry, tries)
  local event = {entry[1], tries}
  for _, word in ipairs(entry[2]) do event[#event + 1] = word end
  reply[#reply + 1] = event
end

if first ~= '-' then first = '(' .. first end
local looked = pending(group, first, '+', limit)
for _, seen in ipairs(looked) do
  local id, holder, idle_ms, tries = unpack(seen)
  if is_due_again(holder, idle_ms, tries) then
    if holder == HANDLING and tries >= tonumber(ARGV[4]) then
      to_dead_letter(group, id, tries, 'no handler acknowledged it', ARGV[5])
    else
      -- An event that is no longer in the stream is not pending after this.
      local claimed = redis.call('XCLAIM', EVENTS, group, HANDLING, 0, id)[1]
      if claimed then give(claimed, tries + 1) end
    end
  end
end
if #looked == limit then reply[2] = looked[limit][1] end

local room = limit - (#reply - 2)
if room > 0 then
  local new = redis.call('XREADGROUP', 'GROUP', group, HANDLING, 'COUNT', room, 'STREAMS', EVENTS, '>')
  for _, entry in ipairs(new and new[1][2] or {}) do give(entry, 1) end
end
return reply
