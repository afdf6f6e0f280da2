-- Takes all members of a server out of all channels. Whatever the hash knows of the server itself,
-- in fields that begin with a colon, stays.
local function clear(server, head, tail)
  local keys, channels = {}, {}
  for _, field in ipairs(redis.call('HKEYS', server)) do
    if string.byte(field) ~= 58 then
      channels[#channels + 1] = field
      keys[#keys + 1] = head .. field .. tail
    end
  end
  -- Lua passes a few thousand arguments at most.
  for first = 1, #keys, 1000 do
    local last = math.min(first + 999, #keys)
    redis.call('UNLINK', unpack(keys, first, last))
    redis.call('HDEL', server, unpack(channels, first, last))
  end
end
