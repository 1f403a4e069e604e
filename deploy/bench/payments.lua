-- wrk: payments through the gateway, each under a key of its own.
-- Arguments: API key, number of customers, mean pause in ms between the requests of a connection (0: none), prefix of the
-- customers' ids.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
    thread:set("number", #threads)
end

function init(arguments)
    math.randomseed(os.time() * 1000 + number)
    customers, pause, prefix = tonumber(arguments[2]), tonumber(arguments[3] or "0"), arguments[4] or "bench_"
    run, sent, succeeded, pending, refused, last = math.random(1, 1e9), 0, 0, 0, 0, ""
    headers = { ["Authorization"] = "Bearer " .. arguments[1], ["Content-Type"] = "application/json" }
    if pause == 0 then return end
    -- A person does not pay by the clock: pauses are exponentially distributed, as independent arrivals are.
    function delay()
        return math.floor(-pause * math.log(1 - math.random()) + 0.5)
    end
end

function request()
    sent = sent + 1
    headers["Idempotency-Key"] = string.format("bench-%d-%d-%d", run, number, sent)
    local body = string.format(
        '{"amount":999,"currency":"USD","customer_id":"%s%d"}', prefix, math.random(1, customers))
    return wrk.format("POST", "/v1/payments", headers, body)
end

function response(status, _, body)
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
    local reason = ""
    for _, thread in ipairs(threads) do
        for name in pairs(totals) do totals[name] = totals[name] + thread:get(name) end
        if thread:get("last") ~= "" then reason = thread:get("last") end
    end
    local errors = summary.errors
    io.stderr:write(string.format(
        '{"seconds":%.3f,"succeeded":%d,"pending":%d,"refused":%d,"socket_errors":%d,"p50_ms":%.2f,"p99_ms":%.2f,"reason":"%s"}\n',
        summary.duration / 1e6, totals.succeeded, totals.pending, totals.refused,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, (string.gsub(reason, '[%c"\\]', " "))))
end
