-- wrk: payments through the gateway, each under a key of its own.
-- Arguments: API key, number of customers, mean pause in ms between the requests of a connection (0: none), prefix of the
-- customers' ids, `added` to time what each answer took beyond its provider's time instead of all of it, and with it the ms
-- that an answer takes.
local ffi = require("ffi")
ffi.cdef([[
    typedef struct { long seconds, nanoseconds; } refrain_time;
    int clock_gettime(int clock, refrain_time *time);
]])
local threads, now = {}, ffi.new("refrain_time")

-- Milliseconds of the monotonic clock.
local function time()
    ffi.C.clock_gettime(1, now)
    return tonumber(now.seconds) * 1e3 + tonumber(now.nanoseconds) / 1e6
end

function setup(thread)
    table.insert(threads, thread)
    thread:set("number", #threads)
end

function init(arguments)
    math.randomseed(os.time() * 1000 + number)
    customers, pause, prefix = tonumber(arguments[2]), tonumber(arguments[3] or "0"), arguments[4] or "bench_"
    timed, answer = arguments[5] == "added", tonumber(arguments[6] or "0")
    run, sent, succeeded, pending, refused, last, added = math.random(1, 1e9), 0, 0, 0, 0, "", ""
    headers = { ["Authorization"] = "Bearer " .. arguments[1], ["Content-Type"] = "application/json" }
    if pause == 0 then return end
    -- A person does not pay by the clock: pauses are exponentially distributed, as independent arrivals are. Each connection
    -- begins somewhere in its round of pause and answer: were all to begin with a pause, they would arrive several times as
    -- fast at first as they do later.
    local first_answer = time() + answer
    function delay()
        local first, rest = time() < first_answer, 0
        if first and math.random() * (pause + answer) < answer then rest = math.random() * answer end
        return math.floor(rest - pause * math.log(1 - math.random()) + 0.5)
    end
end

function request()
    sent = sent + 1
    headers["Idempotency-Key"] = string.format("bench-%d-%d-%d", run, number, sent)
    -- The answer brings its metadata back, and with it when it was asked for.
    local mark = timed and string.format(',"metadata":{"sent":"%.3f"}', time()) or ""
    local body = string.format(
        '{"amount":999,"currency":"USD","customer_id":"%s%d"%s}', prefix, math.random(1, customers), mark)
    return wrk.format("POST", "/v1/payments", headers, body)
end

local function note(fields, body)
    local sent = string.match(body, '"sent":"([0-9.]+)"')
    for name, value in pairs(fields) do
        local provider = string.lower(name) == "server-timing" and string.match(value, "provider;dur=([0-9.]+)")
        if provider then added = string.format("%s,%.3f", added, time() - sent - provider) end
    end
end

function response(status, fields, body)
    if timed then note(fields, body) end
    if status == 201 and string.find(body, '"status":"succeeded"', 1, true) then
        succeeded = succeeded + 1
    elseif status == 202 then
        pending = pending + 1
    else
        refused, last = refused + 1, status .. " " .. string.sub(body, 1, 200)
    end
end

function done(summary, latency, _)
    local totals = { succeeded = 0, pending = 0, refused = 0 }
    local reason, all = "", ""
    for _, thread in ipairs(threads) do
        all = all .. thread:get("added")
        for name in pairs(totals) do totals[name] = totals[name] + thread:get(name) end
        if thread:get("last") ~= "" then reason = thread:get("last") end
    end
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"seconds":%.3f,"succeeded":%d,"pending":%d,"refused":%d,"socket_errors":%d,"p50_ms":%.2f,"p99_ms":%.2f,"added_ms":[%s],"reason":"%s"}\n',
        summary.duration / 1e6, totals.succeeded, totals.pending, totals.refused,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, string.sub(all, 2), (string.gsub(reason, '[%c"\\]', " "))))
end
