-- The channels that have members at a server.
--
-- KEYS  the hash of the server.
-- ARGV  beginning and end of the keys of its sets.
local channels, keys, found = {}, {}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.byte(field) ~= 58 then
    channels[#channels + 1] = field
    keys[#keys + 1] = ARGV[1] .. field .. ARGV[2]
  end
end
for first = 1, #keys, 1000 do
  local last = math.min(first + 999, #keys)
  -- Mostly all are there. A server that does not know the hash may have emptied one.
  local all = redis.call('EXISTS', unpack(keys, first, last)) == last - first + 1
  for i = first, last do
    if all or redis.call('EXISTS', keys[i]) == 1 then
      found[#found + 1] = channels[i]
    end
  end
end
return found
