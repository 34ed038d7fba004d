--[[ Whose things changed after a version, oldest change first. Looking lets the next change hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  the one this connection saw
ARGV[2]   version      the last one the reader knows
ARGV[3]   limit        how many people to name, and besides all who changed at the version of the last
Replies   CHANGES epoch version floor [person version]...  (floor: changes up to this version may not be named any more)
          | UNKNOWN | RECOVERING
]]
-- @include prologue
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted_people')
local at = redis.call('HMGET', STATE, 'epoch', 'version', 'changes_floor')
local people = redis.call('ZRANGEBYSCORE', CHANGES, '(' .. ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
if #people == ARGV[3] * 2 then
  local last = people[#people]
  while people[#people] == last do people[#people], people[#people - 1] = nil, nil end
  for _, word in ipairs(redis.call('ZRANGEBYSCORE', CHANGES, last, last, 'WITHSCORES')) do people[#people + 1] = word end
end
local reply = {'CHANGES', at[1], at[2], at[3] or '0'}
for _, word in ipairs(people) do reply[#reply + 1] = word end
return reply
