-- The end of a sale ends the round of its queue for good.

-- Marks every entry so far as over, in a few commands for any number of entries. Calls and passes
-- become due, so that `end_due` removes them from the slots.
local function end_sale()
  local room = queue_state()
  room.over_id = room.base + room.tail
  redis.call('HSET', STATE, 'over_id', room.over_id, 'over|' .. room.round, room.over_id)
  redis.call('UNLINK', WAITERS, PRESENCE_DEADLINES)
  redis.call('ZUNIONSTORE', SLOTS, 1, SLOTS, 'WEIGHTS', 0)
  append_event('over', '', room.over_id, room.round)
end
