-- Adds and leaves at one server, in this order.
--
-- KEYS  the hash of the server; the list of servers; then the set of members of each change.
-- ARGV  the server in that list; beginning and end of the keys of its sets; the number of changes;
--       the channel of each; then of each: '+' or '-', incarnation, number of users, users.
--
-- Returns the changes that were refused: number, reason, number, reason, ...
local server, servers = KEYS[1], KEYS[2]
local name, head, tail, changes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local known = redis.call('HMGET', server, ':life', unpack(ARGV, 5, 4 + changes))
local life = known[1] and tonumber(known[1]) or -1
local there = {}
for i = 1, changes do
  there[ARGV[4 + i]] = known[1 + i]
end

local function each(command, key, first, last)
  for from = first, last, 5000 do
    local done = redis.pcall(command, key, unpack(ARGV, from, math.min(from + 4999, last)))
    if type(done) == 'table' and done.err then
      return done.err
    end
  end
end

local refused, at = {}, 5 + changes
for i = 1, changes do
  local channel, key = ARGV[4 + i], KEYS[2 + i]
  local sign, incarnation, users = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local first, last = at + 3, at + 2 + users
  local problem
  if incarnation < life then
    problem = 'STALE'
  else
    if incarnation > life then
      -- One life at a time: with its first change a life ends those before it.
      if life >= 0 then
        clear(server, head, tail)
        there = {}
      end
      life = incarnation
      redis.call('HSET', server, ':life', ARGV[at + 1])
    end
    if sign == '+' then
      problem = each('SADD', key, first, last)
      if not problem and not there[channel] then
        redis.call('HSET', server, channel, 1)
        redis.call('SADD', servers, name)
        there[channel] = '1'
      end
    else
      problem = each('SREM', key, first, last)
      if not problem and there[channel] and redis.call('EXISTS', key) == 0 then
        redis.call('HDEL', server, channel)
        there[channel] = false
      end
    end
  end
  if problem then
    refused[#refused + 1] = i
    refused[#refused + 1] = problem
  end
  at = last + 1
end
return refused
