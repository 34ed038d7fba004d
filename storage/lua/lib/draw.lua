-- What the opening of a lottery needs: which lots are gone, and the bits of departed numbers in the order that was drawn.

local function lots_gone(registrations)
  local gone, base = {}, line().base
  for first = 1, registrations, 1000 do
    local places = {}
    for lot = first, math.min(first + 999, registrations) do places[#places + 1] = base + lot end
    for index, person in ipairs(redis.call('HMGET', LINE, unpack(places))) do
      if not person then gone[first + index - 1] = true end
    end
  end
  return gone
end

-- A base is a multiple of eight, so numbers 8 to 15 share a byte, and whole bytes are written as one string.
local function write_departed(order, registrations, gone)
  local base, bytes = line().base, {}
  local function is_gone(number)
    return number > 0 and gone[struct.unpack('>I4', order, (number - 1) * 4 + 1)]
  end
  local whole = math.floor((registrations + 1) / 8)
  for place = 0, whole - 1 do
    local byte = 0
    for bit = 0, 7 do
      if is_gone(place * 8 + bit) then byte = byte + 2 ^ (7 - bit) end
    end
    bytes[#bytes + 1] = string.char(byte)
  end
  if whole > 0 then redis.call('SETRANGE', DEPARTED, base / 8, table.concat(bytes)) end
  for number = math.max(whole * 8, 1), registrations do
    redis.call('SETBIT', DEPARTED, base + number, is_gone(number) and 1 or 0)
  end
end
