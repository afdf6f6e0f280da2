-- Where a channel has how many members, of the servers of a list and some more.
--
-- KEYS  the list of servers.
-- ARGV  the beginning of the keys of sets of the channel; then further servers.
--
-- Returns server, members, server, members, ... for those that have some.
local found, seen = {}, {}
local function look(server)
  local size = redis.call('SCARD', ARGV[1] .. server)
  if size > 0 and not seen[server] then
    seen[server] = true
    found[#found + 1] = server
    found[#found + 1] = size
  end
end
for _, server in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  look(server)
end
for i = 2, #ARGV do
  look(ARGV[i])
end
return found
