-- wrk: makes numbered customers, their cards, or trials through the gateway, each exactly once, then stops.
-- Arguments: API key, what (customers|cards|slow_cards|trials), how many, prefix of the customers' ids. Run with one thread.
-- wrk itself sleeps to the end of its duration: on the line "complete" whoever started it interrupts it.
function init(arguments)
    kind, count, prefix = arguments[2], tonumber(arguments[3]), arguments[4]
    sent, answered, refused, last = 0, 0, 0, ""
    headers = { ["Authorization"] = "Bearer " .. arguments[1], ["Content-Type"] = "application/json", ["Prefer"] = "wait=0" }
end

local paths = {
    customers = "/v1/customers", cards = "/v1/payment_methods", slow_cards = "/v1/payment_methods",
    trials = "/v1/subscriptions",
}
-- The sandbox provider takes three seconds over this card.
local slow = "4000009900000012"

local function luhn(digits)
    local total = 0
    for position = 0, #digits - 1 do
        local value = tonumber(string.sub(digits, #digits - position, #digits - position))
        if position % 2 == 0 then value = value * 2 end
        total = total + (value > 9 and value - 9 or value)
    end
    return digits .. ((10 - total % 10) % 10)
end

local function body(number)
    local id = prefix .. number
    if kind == "customers" then
        return string.format('{"id":"%s","email":"%s@example.com","name":"Bench","country":"US"}', id, id)
    elseif kind ~= "trials" then
        local card = kind == "slow_cards" and slow or luhn(string.format("424242%09d", number))
        return string.format(
            '{"customer_id":"%s","type":"card","card":{"number":"%s","exp_month":12,"exp_year":2049,"cvc":"123"}}', id, card)
    end
    return string.format('{"customer_id":"%s","plan_id":"premium_monthly","trial_days":30}', id)
end

function request()
    sent = sent + 1
    local number = (sent - 1) % count + 1
    -- Past the end the first ones are sent again: the same key makes them replays, which change nothing.
    headers["Idempotency-Key"] = string.format("seed-%s-%s%d", kind, prefix, number)
    return wrk.format("POST", paths[kind], headers, body(number))
end

function response(status, _, text)
    answered = answered + 1
    if status >= 300 and status ~= 409 then refused, last = refused + 1, status .. " " .. string.sub(text, 1, 300) end
    if answered == count then io.stderr:write("complete\n") end
end

local only
function setup(thread) only = thread end

function done(summary)
    io.stderr:write(string.format('{"seconds":%.3f,"refused":%d,"reason":"%s"}\n', summary.duration / 1e6,
        only:get("refused"), (string.gsub(only:get("last"), '[%c"\\]', " "))))
end
