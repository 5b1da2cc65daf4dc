-- Once on each of the API's connections. $1: statement time-out in milliseconds. The statements are made for generic plans: planning
-- costs more than most of them take.
SELECT set_config('statement_timeout', $1::text, false), set_config('TimeZone', 'UTC', false),
    set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),
    set_config('lock_timeout', '5000', false), set_config('client_min_messages', 'warning', false)
