"""Lua scripts for what must be atomic on the server, and the names of the keys.

An entry's id is `<epoch>-<number of its first event>`. The server refuses an id that is not greater than the last, so
the critical command, the append, does not check the epoch: a takeover adds an entry `<epoch + 1>-0`, and the ids of an
earlier producer are below it. A batch that is sent twice is refused in the same way.

Every key has the same hash tag, so the scripts are valid on a cluster, where all streams are in one slot.
"""

PREFIX = "{artesian}:"

RUNNING = f"{PREFIX}running"  # a sorted set: stream id by the end of its lease; 0: released

UNSTORED = f"{PREFIX}unstored"  # a set: finished streams whose answers have to be stored in the database

LAST_SEQUENCE = "18446744073709551615"  # the highest: after it nothing can be added in the same epoch

_NAMES = """
local function record(id) return '{artesian}:record:' .. id end
local function events(id) return '{artesian}:events:' .. id end
local function readers(id) return '{artesian}:readers:' .. id end
"""

_NOW = (
    _NAMES
    + """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function number(n) return string.format('%.0f', n) end
"""
)

# An `archived` stream has no expiry before its answer is stored.
# KEYS: record, events, running, [binding].
# ARGV: id, process, lease, keep (ms), content, request, archived, [binding's value]
BEGIN = (
    _NOW
    + """
if KEYS[4] then
    local bound = redis.call('GET', KEYS[4])
    if bound then return bound end
    redis.call('SET', KEYS[4], ARGV[8], 'PX', ARGV[4])
end
local lease = number(now + ARGV[3])
redis.call('HSET', KEYS[1], 'content', ARGV[5], 'epoch', 1, 'owner', ARGV[2], 'lease', lease, 'binding', KEYS[4] or '')
redis.call('HSET', KEYS[1], 'request', ARGV[6])
redis.call('XADD', KEYS[2], '1-0', 'begun', '')
if ARGV[7] == '1' then
    redis.call('HSET', KEYS[1], 'archived', 1)
else
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
redis.call('ZADD', KEYS[3], lease, ARGV[1])
return false
"""
)

# KEYS: the events of each stream. ARGV: for each an id and a batch. Returns for each an id, nil or an error.
WRITE = """
local answers = {}
for i, key in ipairs(KEYS) do
    answers[i] = redis.pcall('XADD', key, 'NOMKSTREAM', ARGV[2 * i - 1], 'batch', ARGV[2 * i])
end
return answers
"""

# KEYS: running, unstored. ARGV: ttl (ms), then for each stream its id, an entry's id and a batch. Returns as WRITE.
FINISH = (
    _NAMES
    + """
local answers = {}
for i = 2, #ARGV, 3 do
    local id = ARGV[i]
    local answer = redis.pcall('XADD', events(id), 'NOMKSTREAM', ARGV[i + 1], 'batch', ARGV[i + 2])
    answers[#answers + 1] = answer
    if type(answer) == 'string' then
        redis.call('HSET', record(id), 'ended', 1)
        redis.call('HDEL', record(id), 'request')
        if redis.call('HEXISTS', record(id), 'archived') == 1 then
            redis.call('SADD', KEYS[2], id)
        else
            redis.call('PEXPIRE', record(id), ARGV[1])
            redis.call('PEXPIRE', events(id), ARGV[1])
        end
        redis.call('ZREM', KEYS[1], id)
        local binding = redis.call('HGET', record(id), 'binding')
        if binding and binding ~= '' then redis.call('PEXPIRE', binding, ARGV[1]) end
    end
end
return answers
"""
)

# KEYS: running. ARGV: lease, keep (ms), then for each stream its id, its epoch, and the id of an entry it must have
RENEW = (
    _NOW
    + """
local answers = {}
local lease = number(now + ARGV[1])
for i = 3, #ARGV, 3 do
    local id, epoch, mark = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local found = redis.call('HMGET', record(id), 'epoch', 'cancelled', 'ended', 'binding', 'archived')
    if not found[1] then
        answers[#answers + 1] = 'GONE'
    elseif found[1] ~= epoch then
        answers[#answers + 1] = 'REPLACED'
    elseif #redis.call('XRANGE', events(id), mark, mark) == 0 then
        answers[#answers + 1] = 'GONE'
    else
        if not found[3] then
            redis.call('HSET', record(id), 'lease', lease)
            if not found[5] then
                redis.call('PEXPIRE', record(id), ARGV[2])
                redis.call('PEXPIRE', events(id), ARGV[2])
            end
            redis.call('ZADD', KEYS[1], lease, id)
            if found[4] and found[4] ~= '' then redis.call('PEXPIRE', found[4], ARGV[2]) end
        end
        answers[#answers + 1] = found[2] and 'CANCELLED' or 'KEPT'
    end
end
return answers
"""
)

# ARGV: process, milliseconds for which its presence is valid or 0, then stream ids
LOOK = (
    _NOW
    + """
local answers = {}
for i = 3, #ARGV do
    local id = ARGV[i]
    local found = redis.call('HMGET', record(id), 'lease', 'ended')
    if not found[1] or redis.call('EXISTS', events(id)) == 0 then
        answers[#answers + 1] = 'GONE'
    elseif found[2] then
        answers[#answers + 1] = 'ENDED'
    else
        if ARGV[2] ~= '0' then
            redis.call('ZADD', readers(id), number(now + ARGV[2]), ARGV[1])
            redis.call('PEXPIRE', readers(id), ARGV[2])
        end
        local lease = tonumber(found[1])
        answers[#answers + 1] = lease == 0 and 'RELEASED' or lease < now and 'EXPIRED' or 'LIVE'
    end
end
return answers
"""
)

# KEYS: readers. ARGV: process
IS_READ = (
    _NOW
    + """
for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], number(now), '+inf')) do
    if process ~= ARGV[1] then return 1 end
end
return 0
"""
)

# KEYS: running, the calls to this process. ARGV: limit, expiry of the calls (ms). Returns ids and leases in turn. It
# writes an entry first: on a server that cannot be written to no process can renew its leases, and a process that only
# reads would consider every stream abandoned.
SWEEP = (
    _NOW
    + """
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100, '*', 'swept', '')
redis.call('PEXPIRE', KEYS[2], ARGV[2])
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', number(now), 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local answers = {}
for i = 1, #found, 2 do
    if redis.call('EXISTS', record(found[i]), events(found[i])) == 2 then
        answers[#answers + 1] = found[i]
        answers[#answers + 1] = found[i + 1]
    else
        redis.call('ZREM', KEYS[1], found[i])
    end
end
return answers
"""
)

# KEYS: record, events, running. ARGV: id, process, lease, keep (ms), 1 to take released streams only
TAKE_OVER = (
    _NOW
    + """
local found = redis.call('HMGET', KEYS[1], 'epoch', 'lease', 'ended', 'archived')
if not found[1] or found[3] or redis.call('EXISTS', KEYS[2]) == 0 then return false end
local lease = tonumber(found[2])
if lease > now or (ARGV[5] == '1' and lease ~= 0) then return false end
local epoch = found[1] + 1
lease = number(now + ARGV[3])
redis.call('XADD', KEYS[2], number(epoch) .. '-0', 'begun', '')
redis.call('HSET', KEYS[1], 'epoch', number(epoch), 'owner', ARGV[2], 'lease', lease)
if not found[4] then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
redis.call('ZADD', KEYS[3], lease, ARGV[1])
return epoch
"""
)

# KEYS: record, events, running. ARGV: id, epoch, the last id of the epoch
RELEASE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] or redis.call('HEXISTS', KEYS[1], 'ended') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'lease', 0)
redis.call('ZADD', KEYS[3], 0, ARGV[1])
redis.call('XADD', KEYS[2], 'NOMKSTREAM', ARGV[3], 'released', '')
return 1
"""

# KEYS: record. ARGV: id, the prefix of the key of a process's calls
CANCEL = """
local found = redis.call('HMGET', KEYS[1], 'owner', 'ended')
if not found[1] or found[2] then return 0 end
redis.call('HSET', KEYS[1], 'cancelled', 1)
redis.call('XADD', ARGV[2] .. found[1], 'NOMKSTREAM', '*', 'cancel', ARGV[1])
return 1
"""

# KEYS: record, events, unstored. ARGV: id, lease and ttl (ms)
STORED = """
redis.call('SREM', KEYS[3], ARGV[1])
if redis.call('HDEL', KEYS[1], 'archived') == 0 then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
"""

# KEYS: binding. ARGV: the prefix of its value
UNBIND = """
local bound = redis.call('GET', KEYS[1])
if bound and string.sub(bound, 1, #ARGV[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# KEYS: record, events, readers, running, unstored. ARGV: id, epoch or nothing
PURGE = """
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('SREM', KEYS[5], ARGV[1])
return redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
"""


def record(stream_id: str) -> str:
    """Name a stream's record: a hash."""
    return f"{PREFIX}record:{stream_id}"


def events(stream_id: str) -> str:
    """Name a stream's events: a stream."""
    return f"{PREFIX}events:{stream_id}"


def readers(stream_id: str) -> str:
    """Name the processes that have readers of a stream: a sorted set, by the time until which that holds."""
    return f"{PREFIX}readers:{stream_id}"


def binding(caller_and_key: str) -> str:
    """Name the binding of an idempotency key: a string, the fingerprint before the stream's id."""
    return f"{PREFIX}key:{caller_and_key}"


def calls(process: str) -> str:
    """Name what others call to a process: a stream."""
    return f"{PREFIX}calls:{process}"
