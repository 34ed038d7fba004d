--[[ Read everything the hub publishes about a concert, at one version: queue, stock, and the people
whose entries or holds have changed since another version. Only this script clears the `hinted`
flag, so that the next change publishes a hint again.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
ARGV[2]   version      the last one known to the reader
ARGV[3]   limit        maximum number of people, as in read_changes
Replies   SNAPSHOT {queue} {stock} {changes}  (as in read_queue, read_stock and read_changes)
          | UNKNOWN | RECOVERING
]]
-- @include prologue queue_state capacity snapshots
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
redis.call('HDEL', STATE, 'hinted')
return {'SNAPSHOT', queue_fields(departed_bits()), stock_fields(), change_fields(ARGV[2], ARGV[3])}
