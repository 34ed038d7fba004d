--[[ Read the dead letters of a concert, oldest first.
KEYS      of the concert, in the order of keys.py
ARGV[1]   after        id of the last letter that was read; '-' starts at the first
ARGV[2]   limit
Replies   DEAD_LETTERS letter...  (letter: {id 'group' group 'id' event_id 'tries' tries
          'error' error [name value]...})
]]
-- @include prologue
local reply = {'DEAD_LETTERS'}
local first = ARGV[1] == '-' and '-' or '(' .. ARGV[1]
for _, entry in ipairs(redis.call('XRANGE', DEADLETTERS, first, '+', 'COUNT', ARGV[2])) do
  local letter = {entry[1]}
  for _, word in ipairs(entry[2]) do letter[#letter + 1] = word end
  reply[#reply + 1] = letter
end
return reply
