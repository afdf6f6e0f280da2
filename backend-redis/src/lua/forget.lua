-- Removes some channels of a server, and in the end what is known of it.
--
-- KEYS  the hash of the server; the list of servers (on a Cluster: the hash again).
-- ARGV  where the list of servers is kept: 'here' or 'elsewhere'; the server in that list;
--       beginning and end of the keys of its sets; how many channels.
--
-- Returns how many channels are left.
local server, keys, channels = KEYS[1], {}, {}
for _, field in ipairs(redis.call('HRANDFIELD', server, ARGV[5])) do
  if string.byte(field) ~= 58 then
    channels[#channels + 1] = field
    keys[#keys + 1] = ARGV[3] .. field .. ARGV[4]
  end
end
if #keys > 0 then
  redis.call('UNLINK', unpack(keys))
  redis.call('HDEL', server, unpack(channels))
end
local own = redis.call('HEXISTS', server, ':life') + redis.call('HEXISTS', server, ':listed')
local left = redis.call('HLEN', server) - own
if left == 0 then
  redis.call('UNLINK', server)
  if ARGV[1] == 'here' then
    redis.call('SREM', KEYS[2], ARGV[2])
  end
end
return left
