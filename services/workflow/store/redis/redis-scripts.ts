import { createHash } from "node:crypto";

/** A script that runs in Redis, as one step that others see whole or not. */
export interface RedisScript {
  readonly lua: string;
  /** Under which Redis knows it once it has seen it. */
  readonly sha1: string;
}

/** What stands where under the prefix; all scripts begin with it. */
const prelude = `
local prefix = ARGV[2]
local function call(...) return redis.call(...) end
local function jobKey(id) return prefix .. 'job:' .. id end
local function logKey(id) return prefix .. 'log:' .. id end
local function listKey(tenant) return prefix .. 'listed:' .. tenant end
local function countKey(tenant) return prefix .. 'unfinished-of:' .. tenant end
local function keysKey(tenant) return prefix .. 'keys:' .. tenant end
local listed, unfinished, ended = 'listed', prefix .. 'unfinished', prefix .. 'ended'

-- Positions end in the id, see list-position.ts.
local function idOf(position) return string.sub(position, 14) end

local function place(id, hidden, endedAt)
  local job = call('HMGET', jobKey(id), 'tenant', 'position')
  local tenant, position = job[1], job[2]
  if hidden == '1' then call('ZREM', listKey(tenant), position)
  else call('ZADD', listKey(tenant), 0, position) end
  if endedAt == '' then
    call('ZADD', unfinished, 0, position)
    call('SADD', countKey(tenant), id)
    call('ZREM', ended, id)
  else
    call('ZREM', unfinished, position)
    call('SREM', countKey(tenant), id)
    call('ZADD', ended, endedAt, id)
  end
end

local function remove(id)
  local job = call('HMGET', jobKey(id), 'tenant', 'position', 'key')
  call('ZREM', ended, id)
  if not job[1] then return 0 end
  call('ZREM', listKey(job[1]), job[2])
  call('ZREM', unfinished, job[2])
  call('SREM', countKey(job[1]), id)
  if job[3] then call('HDEL', keysKey(job[1]), job[3]) end
  call('DEL', jobKey(id), logKey(id))
  return 1
end
`;

/**
 * A script that does nothing unless this process holds the lease, so that
 * not even a call that was on its way for long does harm. Its arguments begin
 * with the lease's token and the prefix. (KEYS names the lease alone: jobs in
 * a Redis Cluster are not provided for.)
 */
function underLease(lua: string): RedisScript {
  const check = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return redis.error_reply('LEASE is not held by this process')
end`;
  return script(`${check}${prelude}${lua}`);
}

/** A script as it is. */
export function script(lua: string): RedisScript {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}

/** id, record, tenant, position, hidden, endedAt, key, fingerprint, fields… */
const create = underLease(`
local id, record, tenant, position = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local hasKey, key, fingerprint = ARGV[9], ARGV[10], ARGV[11]
local stored = call('HMGET', jobKey(id), 'version', 'record')
if stored[1] == '1' and stored[2] == record then return {'created'} end
if hasKey == '1' then
  local used = call('HGET', keysKey(tenant), key)
  if used then return {'existing', string.sub(used, 1, 36), string.sub(used, 37)} end
end
if stored[1] then return {'taken'} end
call('HSET', jobKey(id), 'version', 1, 'record', record, 'tenant', tenant,
  'position', position)
for at = 12, #ARGV, 2 do call('HSET', jobKey(id), ARGV[at], ARGV[at + 1]) end
if hasKey == '1' then
  call('HSET', keysKey(tenant), key, id .. fingerprint)
  call('HSET', jobKey(id), 'key', key)
end
place(id, ARGV[7], ARGV[8])
return {'created'}`);

/** id, record, version, state, hidden, endedAt */
const update = underLease(`
local id, record, version = ARGV[3], ARGV[4], ARGV[5]
local stored = call('HMGET', jobKey(id), 'version', 'record')
if not stored[1] then return {'none'} end
if stored[1] ~= version then
  if tonumber(stored[1]) == version + 1 and stored[2] == record then
    return {'updated'}
  end
  return {'stale', stored[1]}
end
call('HSET', jobKey(id), 'version', version + 1, 'record', record,
  'state', ARGV[6])
place(id, ARGV[7], ARGV[8])
return {'updated'}`);

/** id */
const remove = underLease("return remove(ARGV[3])");

/** endedBefore, limit; gives how many were there, and how many went */
const removeEnded = underLease(`
local ids = call('ZRANGEBYSCORE', ended, '-inf', '(' .. ARGV[3],
  'LIMIT', 0, ARGV[4])
local removed = 0
for _, id in ipairs(ids) do removed = removed + remove(id) end
return {#ids, removed}`);

/** id, version, reason, now */
const setAside = underLease(`
local id = ARGV[3]
local job = call('HMGET', jobKey(id), 'version', 'tenant', 'record')
if job[1] ~= ARGV[4] then return 0 end
call('HSET', prefix .. 'set-aside:' .. id, 'version', job[1],
  'tenant', job[2], 'record', job[3] or '', 'reason', ARGV[5], 'at', ARGV[6])
call('ZADD', prefix .. 'set-aside', ARGV[6], id)
return remove(id)`);

/** id, from, segments… */
const appendLogOrder = underLease(`
local id, from = ARGV[3], tonumber(ARGV[4])
if call('EXISTS', jobKey(id)) == 0 then return from end
local stored = call('LLEN', logKey(id))
if stored < from then return stored end
if from == 0 then call('DEL', logKey(id))
elseif stored > from then call('LTRIM', logKey(id), 0, from - 1) end
for at = 5, #ARGV do call('RPUSH', logKey(id), ARGV[at]) end
return from`);

/**
 * tenant, before, how many to look at, limit, states (JSON) or "", whether a
 * name, name, labels…; gives the position that it came to ("" at the end),
 * and of each job id, version, position and record
 */
const list = underLease(`
local positions = call('ZREVRANGEBYLEX', listKey(ARGV[3]), '(' .. ARGV[4],
  '-', 'LIMIT', 0, ARGV[5])
local states = nil
if ARGV[7] ~= '' then
  states = {}
  for _, state in ipairs(cjson.decode(ARGV[7])) do states[state] = true end
end
local fields = {'version', 'record', 'state', 'name'}
for at = 10, #ARGV, 2 do table.insert(fields, ARGV[at]) end
local found = {''}
for at, position in ipairs(positions) do
  local id = idOf(position)
  local job = call('HMGET', jobKey(id), unpack(fields))
  local matches = job[1] and (not states or states[job[3]])
    and (ARGV[8] == '' or job[4] == ARGV[9])
  for field = 5, #fields do
    matches = matches and job[field] == ARGV[2 * field + 1]
  end
  if matches then
    for _, part in ipairs({id, job[1], position, job[2] or ''}) do
      table.insert(found, part)
    end
    if #found > 4 * ARGV[6] then
      found[1] = position
      return found
    end
  end
end
if #positions == tonumber(ARGV[5]) then found[1] = positions[#positions] end
return found`);

/** after, limit; as listScript */
const unfinished = underLease(`
local positions = call('ZRANGEBYLEX', unfinished, '(' .. ARGV[3], '+',
  'LIMIT', 0, ARGV[4])
local found = {''}
for _, position in ipairs(positions) do
  local id = idOf(position)
  local job = call('HMGET', jobKey(id), 'version', 'record')
  if job[1] then
    for _, part in ipairs({id, job[1], position, job[2] or ''}) do
      table.insert(found, part)
    end
  end
end
if #positions == tonumber(ARGV[4]) then found[1] = positions[#positions] end
return found`);

/** reference, digest */
const setPin = underLease(
  "return call('HSET', prefix .. 'pins', ARGV[3], ARGV[4])",
);

/** Writes something, as all others do. */
const probe = underLease("return call('SET', prefix .. 'probe', 1)");

/** All scripts by name; their comments say what they are given. */
export const redisScripts = {
  ...{ create, update, delete: remove, removeEnded, setAside },
  ...{ list, unfinished, appendLogOrder, setPin, probe },
};
