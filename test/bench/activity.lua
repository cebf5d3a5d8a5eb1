-- What single-user servers post: each time somewhat later than the time before.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local start, n = os.time() - 3000, 0
request = function()
   n = n + 1
   local at = os.date("!%Y-%m-%dT%H:%M:%S", start + math.floor(n / 1000))
   return wrk.format(nil, nil, nil, string.format('{"last_activity":"%s.%03dZ"}', at, n % 1000))
end
