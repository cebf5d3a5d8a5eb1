-- Ten users take turns.
local requests, n = {}, 0
init = function()
   for i = 0, 9 do requests[i] = wrk.format(nil, "/user/u" .. i .. "/lab") end
end
request = function()
   n = n + 1
   return requests[n % 10]
end
