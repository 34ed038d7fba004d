-- Functions that read and apply the rules of a tier. They are stored as JSON, which
-- `hot/tier_rules.py` writes: {opens_ms, closes_ms, min, max, is_hidden, is_withdrawn}, without
-- rules that are not set. A tier without rules has an empty text, or no text if an earlier version
-- of Onsale stored it.
local NO_RULES = {}

local function read_rules(text)
  return text and text ~= '' and cjson.decode(text) or NO_RULES
end

-- Returns which rule a request for `quantity` tickets breaks, and the limit or the opening time of
-- that rule; or nil if the request is allowed. A tier that would open only after the sale of its
-- concert has ended never opens.
local function find_broken_rule(rules, quantity, sales_end_ms)
  if rules.is_withdrawn then return 'WITHDRAWN', '' end
  if rules.closes_ms and now >= rules.closes_ms then return 'SALE_ENDED', '' end
  if rules.opens_ms and now < rules.opens_ms then
    if rules.opens_ms >= sales_end_ms then return 'SALE_ENDED', '' end
    return 'NOT_OPEN', string.format('%d', rules.opens_ms)
  end
  if rules.min and quantity < rules.min then return 'BELOW_MINIMUM', rules.min end
  if rules.max and quantity > rules.max then return 'ABOVE_MAXIMUM', rules.max end
end
