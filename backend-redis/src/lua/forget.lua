-- Removes some channels of a server, and in the end what is known of it.
--
-- KEYS  the hash of the server; the list of servers.
-- ARGV  the server in that list; beginning and end of the keys of its sets; how many channels.
--
-- Returns how many channels are left.
local keys, channels = {}, {}
for _, field in ipairs(redis.call('HRANDFIELD', KEYS[1], ARGV[4])) do
  if string.byte(field) ~= 58 then
    channels[#channels + 1] = field
    keys[#keys + 1] = ARGV[2] .. field .. ARGV[3]
  end
end
if #keys > 0 then
  redis.call('UNLINK', unpack(keys))
  redis.call('HDEL', KEYS[1], unpack(channels))
end
local left = redis.call('HLEN', KEYS[1]) - redis.call('HEXISTS', KEYS[1], ':life')
if left == 0 then
  redis.call('UNLINK', KEYS[1])
  redis.call('SREM', KEYS[2], ARGV[1])
end
return left
