--[[ Read the stock and the price of every tier at one version.
KEYS      of the concert, in the order of keys.py
ARGV[1]   incarnation  as seen by this connection
Replies   STOCK {epoch version [tier capacity held sold price_minor rules]...} | UNKNOWN
          | RECOVERING
]]
-- @include prologue queue_state capacity snapshots
local refusal = check_incarnation(ARGV[1], '')
if refusal then return refusal end
return {'STOCK', stock_fields()}
