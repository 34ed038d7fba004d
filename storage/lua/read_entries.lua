--[[ Read the queue entries of several people.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2*]  people
Replies   ENTRIES grace_until_ms epoch version [record changed]...  (record: '' for a person without
          an entry; changed: the version of the last change to an entry or a hold of the person, or
          '' if it is no longer known) | UNKNOWN | RECOVERING
]]
-- @include prologue stock holds queue_state entry_state
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
local reply = {'ENTRIES', string.format('%d', grace_until_ms), epoch_and_version()}
for index = 2, #ARGV do
  local entry = read_entry(ARGV[index])
  reply[#reply + 1] = entry and entry_json(ARGV[index], entry) or ''
  reply[#reply + 1] = redis.call('ZSCORE', CHANGES, ARGV[index]) or ''
end
return reply
