--[[ Delete dead letters that were replayed or are no longer needed.
KEYS      of the concert, in the order of keys.py
ARGV[1*]  id
Replies   DROPPED count   (count: letters that existed)
]]
-- @include prologue
local count = 0
for index = 1, #ARGV do count = count + redis.call('XDEL', DEADLETTERS, ARGV[index]) end
return {'DROPPED', count}
