-- Functions for opening a queue by lottery: they find the departed lots, and write the departed
-- bits in the order that was drawn.

-- Returns the departed lots. Until the draw, each departed bit stands for a lot. Lots that this
-- store has lost or never had count as departed too.
local function find_departed_lots(registrations)
  local room, gone = queue_state(), {}
  local bits = redis.call('GETRANGE', DEPARTED, room.base / 8, math.floor((room.base + registrations) / 8))
  for place = 1, #bits do
    local byte = string.byte(bits, place)
    for bit = 7, 0, -1 do
      local lot = (place - 1) * 8 + 7 - bit
      if byte >= 2 ^ bit then
        byte = byte - 2 ^ bit
        if lot <= registrations then gone[#gone + 1] = lot end
      end
    end
  end
  for lot = room.tail + 1, registrations do gone[#gone + 1] = lot end
  return gone
end

-- Writes the departed bits in the order of the numbers. A base is a multiple of eight, so whole
-- bytes are written; the last byte may contain bits of people who joined later.
local function write_departed(ranks, registrations, gone)
  local first, last, bytes = queue_state().base / 8, math.floor(registrations / 8), {}
  local shared = redis.call('GETRANGE', DEPARTED, first + last, first + last)
  bytes[last] = shared ~= '' and string.byte(shared) % 2 ^ (7 - registrations % 8) or 0
  for _, lot in ipairs(gone) do
    local number = struct.unpack('>I4', ranks, (lot - 1) * 4 + 1)
    local at = math.floor(number / 8)
    bytes[at] = (bytes[at] or 0) + 2 ^ (7 - number % 8)
  end
  local text = {}
  for at = 0, last do text[at + 1] = string.char(bytes[at] or 0) end
  redis.call('SETRANGE', DEPARTED, first, table.concat(text))
end
