-- Functions that count the units of a tier that are on sale.

-- Returns the lower capacities that are being decided, by tier. `text` is the field `proposed`.
local function proposed_caps(text)
  return text and cjson.decode(text).caps or {}
end

local function read_proposed_caps()
  return proposed_caps(redis.call('HGET', STATE, 'proposed'))
end

-- Returns how many units are on sale: those that the house does not have, limited by the capacity
-- and by a lower capacity that is being decided. Tiers stored by earlier versions of Onsale have no
-- `capacity` here; the house already has every unit above their capacity.
local function count_on_sale(top, withdrawn, capacity, proposed)
  local on_sale = top - withdrawn
  if capacity then on_sale = math.min(on_sale, tonumber(capacity)) end
  if proposed then on_sale = math.min(on_sale, proposed) end
  return on_sale
end
