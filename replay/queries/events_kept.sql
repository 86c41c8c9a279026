-- From when to when there are events; the first after the last where there are none.
SELECT if(count() = 0, 1, toUnixTimestamp64Milli(min(ts))), if(count() = 0, 0, toUnixTimestamp64Milli(max(ts))) FROM api_calls
