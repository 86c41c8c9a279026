-- The first questions, by name. Views hold nothing: they are asked with conditions, and a condition on the columns that a table is
-- sorted by (run_id, account_id, day) reaches that table, so an answer reads some granules of it. Each says FINAL where a table
-- needs it, so that a client which does not set it is told the same.

CREATE VIEW IF NOT EXISTS account_risk_now
(
    run_id String COMMENT 'live, or the replay''s name; always ask for one',
    account_id String COMMENT 'Account',
    risk Float64 COMMENT 'To order by: worst severity of an open incident (low 1 to critical 4), and the highest score',
    severity String COMMENT 'Worst severity of its open incidents; empty where none is open',
    open_incidents UInt64 COMMENT 'Incidents that are open',
    incidents UInt64 COMMENT 'Incidents with evidence in the latest 7 days that the run has seen',
    since Nullable(DateTime64(3, 'UTC')) COMMENT 'First evidence of these incidents; NULL where there is none',
    extracted_output_tokens UInt64 COMMENT 'Answer tokens drawn in these incidents',
    peak_score Float32 COMMENT 'Highest score of a call or a window in these days',
    scored_calls UInt64 COMMENT 'Scored calls in these days',
    above_99 UInt64 COMMENT 'Calls with a score of 0.99 or more in these days',
    last_day Date COMMENT 'Latest of these days on which it called'
)
AS
WITH
    newest AS (SELECT run_id, max(day) AS day FROM account_daily_scores GROUP BY run_id),
    scores AS
    (
        SELECT found.run_id AS run_id, found.account_id AS account_id, max(greatest(found.peak_score, found.window_score)) AS peak_score,
            sum(found.scored) AS scored_calls, sum(found.above_99) AS above_99, max(found.day) AS last_day
        FROM account_daily_scores AS found
        INNER JOIN newest ON newest.run_id = found.run_id
        WHERE found.day > newest.day - 7
        GROUP BY found.run_id, found.account_id
    ),
    raised AS
    (
        SELECT found.run_id AS run_id, found.entity_id AS account_id, countIf(found.status = 'open') AS open_incidents, count() AS incidents,
            maxIf(transform(found.severity, ['low', 'medium', 'high', 'critical'], [1, 2, 3, 4], 0), found.status = 'open') AS worst,
            min(found.opened_at) AS since, sum(found.output_tokens) AS drawn
        FROM incidents AS found FINAL
        INNER JOIN newest ON newest.run_id = found.run_id
        WHERE found.entity_type = 'account' AND (found.status = 'open' OR found.last_seen_at > newest.day - 7)
        GROUP BY found.run_id, found.entity_id
    )
SELECT
    scores.run_id AS run_id,
    scores.account_id AS account_id,
    raised.worst + scores.peak_score AS risk,
    transform(raised.worst, [1, 2, 3, 4], ['low', 'medium', 'high', 'critical'], '') AS severity,
    raised.open_incidents AS open_incidents,
    raised.incidents AS incidents,
    if(raised.incidents > 0, raised.since, NULL) AS since,
    raised.drawn AS extracted_output_tokens,
    scores.peak_score AS peak_score,
    scores.scored_calls AS scored_calls,
    scores.above_99 AS above_99,
    scores.last_day AS last_day
FROM scores
LEFT JOIN raised ON raised.run_id = scores.run_id AND raised.account_id = scores.account_id
COMMENT 'Accounts by risk in the latest 7 days that a run has seen';

CREATE VIEW IF NOT EXISTS account_daily
(
    run_id String COMMENT 'live, or the replay''s name; always ask for one',
    day Date COMMENT 'Day of event time, UTC',
    account_id String COMMENT 'Account',
    calls UInt64 COMMENT 'Calls, as the stream received them',
    errors UInt64 COMMENT 'Calls with a status of 400 or more',
    throttled UInt64 COMMENT 'Calls with status 429',
    input_tokens UInt64 COMMENT 'Prompt tokens',
    output_tokens UInt64 COMMENT 'Answer tokens',
    cached_input_tokens UInt64 COMMENT 'Prompt tokens from a cache',
    reasoning_tokens UInt64 COMMENT 'Reasoning tokens',
    distinct_prompts UInt64 COMMENT 'Distinct prompt hashes',
    distinct_models UInt64 COMMENT 'Distinct models',
    distinct_keys UInt64 COMMENT 'Distinct API keys',
    distinct_addresses UInt64 COMMENT 'Distinct client addresses',
    first_call DateTime64(3, 'UTC') COMMENT 'First call of the day',
    last_call DateTime64(3, 'UTC') COMMENT 'Last call of the day',
    peak_score Float32 COMMENT 'Highest score of a call',
    peak_at DateTime64(3, 'UTC') COMMENT 'When that was',
    window_score Float32 COMMENT 'Highest score of a window of ten minutes or more',
    scored_calls UInt64 COMMENT 'Calls that the run scored',
    above_99 UInt64 COMMENT 'Of these, with a score of 0.99 or more'
)
AS
WITH
    scores AS
    (
        SELECT found.run_id AS run_id, found.account_id AS account_id, found.day AS day, max(found.peak_score) AS peak_score,
            argMaxMerge(found.peak_at) AS peak_at, max(found.window_score) AS window_score, sum(found.scored) AS scored_calls,
            sum(found.above_99) AS above_99
        FROM account_daily_scores AS found
        GROUP BY found.run_id, found.account_id, found.day
    ),
    used AS
    (
        SELECT found.account_id AS account_id, found.day AS day, sum(found.calls) AS calls, sum(found.errors) AS errors,
            sum(found.throttled) AS throttled, sum(found.input_tokens) AS input_tokens, sum(found.output_tokens) AS output_tokens,
            sum(found.cached_input_tokens) AS cached_input_tokens, sum(found.reasoning_tokens) AS reasoning_tokens,
            uniqMerge(found.prompts) AS distinct_prompts, uniqMerge(found.models) AS distinct_models,
            uniqMerge(found.keys) AS distinct_keys, uniqMerge(found.addresses) AS distinct_addresses,
            min(found.first_call) AS first_call, max(found.last_call) AS last_call
        FROM account_daily_usage AS found
        GROUP BY found.account_id, found.day
    )
SELECT
    scores.run_id AS run_id, scores.day AS day, scores.account_id AS account_id, used.calls AS calls, used.errors AS errors,
    used.throttled AS throttled, used.input_tokens AS input_tokens, used.output_tokens AS output_tokens,
    used.cached_input_tokens AS cached_input_tokens, used.reasoning_tokens AS reasoning_tokens,
    used.distinct_prompts AS distinct_prompts, used.distinct_models AS distinct_models, used.distinct_keys AS distinct_keys,
    used.distinct_addresses AS distinct_addresses, used.first_call AS first_call, used.last_call AS last_call,
    scores.peak_score AS peak_score, scores.peak_at AS peak_at, scores.window_score AS window_score,
    scores.scored_calls AS scored_calls, scores.above_99 AS above_99
FROM scores
LEFT JOIN used ON used.account_id = scores.account_id AND used.day = scores.day
COMMENT 'What an account used on a day, and what a run says of it';

CREATE VIEW IF NOT EXISTS incident_timeline
(
    run_id String COMMENT 'live, or the replay''s name; always ask for one',
    at DateTime64(3, 'UTC') COMMENT 'Event time at which it happened',
    what String COMMENT 'first evidence, detected, latest evidence or closed',
    incident_id String COMMENT 'Incident',
    entity_type String COMMENT 'account or campaign',
    entity_id String COMMENT 'The account''s or campaign''s id',
    kind String COMMENT 'What it looks like',
    severity String COMMENT 'low, medium, high or critical',
    after_s Int64 COMMENT 'Seconds since the first evidence',
    output_tokens UInt64 COMMENT 'Answer tokens drawn over the whole incident',
    summary String COMMENT 'One sentence for people'
)
AS
SELECT
    run_id, step.1 AS at, step.2 AS what, incident_id, entity_type, entity_id, kind, severity,
    dateDiff('second', opened_at, at) AS after_s, output_tokens, summary
FROM incidents FINAL
ARRAY JOIN arrayFilter(
    one -> one.2 != 'closed' OR closed_at IS NOT NULL,
    [
        (opened_at, 'first evidence'),
        (detected_at, 'detected'),
        (last_seen_at, 'latest evidence'),
        (ifNull(closed_at, last_seen_at), 'closed')
    ]) AS step
COMMENT 'The steps of incidents, one a row';

CREATE VIEW IF NOT EXISTS campaign_overview
(
    run_id String COMMENT 'live, or the replay''s name; always ask for one',
    campaign_id String COMMENT 'Campaign',
    status String COMMENT 'open or closed',
    opened_at DateTime64(3, 'UTC') COMMENT 'Event time of the first evidence',
    detected_at DateTime64(3, 'UTC') COMMENT 'Event time of the event that raised it',
    last_seen_at DateTime64(3, 'UTC') COMMENT 'Event time of the latest evidence',
    members UInt32 COMMENT 'Number of accounts',
    output_tokens UInt64 COMMENT 'Answer tokens drawn by the members',
    score Float64 COMMENT 'How sure it is, 0 to 1',
    links Array(String) COMMENT 'Kinds of what the members share, the strongest first',
    strongest_value String COMMENT 'The value that tells most',
    first_members Array(String) COMMENT 'The first 8 accounts, by when they joined',
    members_with_incident UInt64 COMMENT 'Members on whom the run has an incident of their own',
    members_labelled UInt64 COMMENT 'Members with a label other than honest or benign'
)
AS
WITH
    joined AS
    (
        SELECT found.run_id AS run_id, found.campaign_id AS campaign_id,
            arraySlice(arraySort(groupArray((found.joined_at, found.account_id))), 1, 8).2 AS first_members,
            countIf((found.run_id, found.account_id) IN
                (SELECT run_id, entity_id FROM incidents FINAL WHERE entity_type = 'account')) AS members_with_incident,
            countIf(found.account_id IN (SELECT account_id FROM labels FINAL WHERE kind NOT IN ('honest', 'benign'))) AS members_labelled
        FROM campaign_members AS found FINAL
        GROUP BY found.run_id, found.campaign_id
    )
SELECT
    found.run_id AS run_id, found.campaign_id AS campaign_id, found.status AS status, found.opened_at AS opened_at,
    found.detected_at AS detected_at, found.last_seen_at AS last_seen_at, found.members AS members,
    found.output_tokens AS output_tokens, found.score AS score,
    arrayDistinct(arraySort(one -> -one.weight, found.evidence).link) AS links,
    arraySort(one -> -one.weight, found.evidence)[1].value AS strongest_value,
    joined.first_members AS first_members, joined.members_with_incident AS members_with_incident,
    joined.members_labelled AS members_labelled
FROM (SELECT * FROM campaigns FINAL) AS found
LEFT JOIN joined ON joined.run_id = found.run_id AND joined.campaign_id = found.campaign_id
COMMENT 'Campaigns with what links them and how much of them is known otherwise';

CREATE VIEW IF NOT EXISTS top_extractors
(
    run_id String COMMENT 'live, or the replay''s name; always ask for one',
    account_id String COMMENT 'Account with an incident',
    extracted_output_tokens UInt64 COMMENT 'Answer tokens drawn in its incidents',
    since DateTime64(3, 'UTC') COMMENT 'First evidence',
    until DateTime64(3, 'UTC') COMMENT 'Latest evidence',
    first_detected_at DateTime64(3, 'UTC') COMMENT 'When it was first raised',
    incidents UInt64 COMMENT 'Incidents',
    open_incidents UInt64 COMMENT 'Of these, open',
    severity String COMMENT 'The worst: low, medium, high or critical',
    kinds Array(String) COMMENT 'What they look like',
    campaigns Array(String) COMMENT 'Campaigns that it is a member of',
    labels Array(String) COMMENT 'Kinds that it is labelled with'
)
AS
WITH
    raised AS
    (
        SELECT found.run_id AS run_id, found.entity_id AS account_id, sum(found.output_tokens) AS drawn, min(found.opened_at) AS since,
            max(found.last_seen_at) AS until, min(found.detected_at) AS first_detected_at, count() AS incidents,
            countIf(found.status = 'open') AS open_incidents,
            max(transform(found.severity, ['low', 'medium', 'high', 'critical'], [1, 2, 3, 4], 0)) AS worst,
            groupUniqArray(CAST(found.kind, 'String')) AS kinds
        FROM incidents AS found FINAL
        WHERE found.entity_type = 'account'
        GROUP BY found.run_id, found.entity_id
    ),
    joined AS
    (
        SELECT found.run_id AS run_id, found.account_id AS account_id, groupUniqArray(found.campaign_id) AS campaigns
        FROM campaign_members AS found FINAL
        GROUP BY found.run_id, found.account_id
    ),
    known AS
    (
        SELECT found.account_id AS account_id, groupUniqArray(CAST(found.kind, 'String')) AS kinds
        FROM labels AS found FINAL
        GROUP BY found.account_id
    )
SELECT
    raised.run_id AS run_id, raised.account_id AS account_id, raised.drawn AS extracted_output_tokens, raised.since AS since,
    raised.until AS until, raised.first_detected_at AS first_detected_at, raised.incidents AS incidents,
    raised.open_incidents AS open_incidents,
    transform(raised.worst, [1, 2, 3, 4], ['low', 'medium', 'high', 'critical'], '') AS severity, arraySort(raised.kinds) AS kinds,
    arraySort(joined.campaigns) AS campaigns, arraySort(known.kinds) AS labels
FROM raised
LEFT JOIN joined ON joined.run_id = raised.run_id AND joined.account_id = raised.account_id
LEFT JOIN known ON known.account_id = raised.account_id
COMMENT 'Accounts with incidents: since when, how much, with whom';

CREATE VIEW IF NOT EXISTS model_usage_shift
(
    day Date COMMENT 'Day of event time, UTC',
    provider String COMMENT 'Who serves the model; empty where unknown',
    model String COMMENT 'Model; empty where unknown',
    calls UInt64 COMMENT 'Calls on that day',
    output_tokens UInt64 COMMENT 'Answer tokens on that day',
    share Float64 COMMENT 'Share of the day''s answer tokens, 0 to 1',
    usual_output_tokens Float64 COMMENT 'Answer tokens a day over the 7 days before; those without a call count as 0',
    times Nullable(Float64) COMMENT 'The day''s answer tokens as a multiple of that; NULL where there were none'
)
AS
WITH daily AS
(
    SELECT toDate(found.minute, 'UTC') AS day, found.provider AS provider, found.model AS model, sum(found.calls) AS calls,
        sum(found.output_tokens) AS output_tokens
    FROM calls_per_minute AS found
    GROUP BY day, found.provider, found.model
)
SELECT
    day, provider, model, calls, output_tokens,
    output_tokens / greatest(sum(output_tokens) OVER (PARTITION BY day), 1) AS share,
    sum(output_tokens) OVER (PARTITION BY provider, model ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) / 7
        AS usual_output_tokens,
    if(usual_output_tokens > 0, output_tokens / usual_output_tokens, NULL) AS times
FROM daily
COMMENT 'Models by day against the week before';

CREATE VIEW IF NOT EXISTS rejected_summary
(
    day Date COMMENT 'Day on which they were received, UTC',
    reason String COMMENT 'Why they could not be used; a closed list',
    came_from String COMMENT 'File or sender, or the Kafka topic',
    events UInt64 COMMENT 'Rejected events',
    latest DateTime64(3, 'UTC') COMMENT 'When the latest was received',
    detail String COMMENT 'What was wrong with it',
    raw_begins String COMMENT 'How it began, 200 bytes at most'
)
AS
SELECT
    toDate(received_at, 'UTC') AS day, reason, if(source = '', topic, source) AS came_from, count() AS events,
    max(received_at) AS latest, argMax(detail, received_at) AS detail, argMax(left(raw, 200), received_at) AS raw_begins
FROM rejected_events FINAL
GROUP BY day, reason, came_from
COMMENT 'Rejected events by day, reason and where they came from';

CREATE VIEW IF NOT EXISTS live_vs_replay
(
    run_id String COMMENT 'The replay''s name',
    entity_type String COMMENT 'account or campaign',
    entity_id String COMMENT 'The account''s or campaign''s id',
    found_by String COMMENT 'both, live or replay',
    live_incidents UInt64 COMMENT 'Incidents of the live run that were detected within the replay''s window',
    replay_incidents UInt64 COMMENT 'Incidents of the replay',
    live_detected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First detection in the live run',
    replay_detected_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First detection in the replay',
    replay_later_s Nullable(Int64) COMMENT 'Seconds by which the replay was later; negative where it was earlier',
    live_output_tokens UInt64 COMMENT 'Answer tokens drawn in the incidents of the live run',
    replay_output_tokens UInt64 COMMENT 'Answer tokens drawn in those of the replay'
)
AS
WITH both_runs AS
(
    SELECT run_id, 0 AS is_live, entity_type, entity_id, detected_at, output_tokens
    FROM incidents FINAL
    WHERE run_id != 'live'
    UNION ALL
    SELECT replayed.run_id AS run_id, 1 AS is_live, found.entity_type AS entity_type, found.entity_id AS entity_id,
        found.detected_at AS detected_at, found.output_tokens AS output_tokens
    FROM (SELECT run_id, from, to FROM replay_runs FINAL WHERE run_id != 'live') AS replayed
    CROSS JOIN (SELECT entity_type, entity_id, detected_at, output_tokens FROM incidents FINAL WHERE run_id = 'live') AS found
    WHERE (replayed.from IS NULL OR found.detected_at >= replayed.from) AND (replayed.to IS NULL OR found.detected_at < replayed.to)
)
SELECT
    run_id, entity_type, entity_id, multiIf(replay_incidents = 0, 'live', live_incidents = 0, 'replay', 'both') AS found_by,
    countIf(is_live = 1) AS live_incidents, countIf(is_live = 0) AS replay_incidents,
    minOrNullIf(detected_at, is_live = 1) AS live_detected_at, minOrNullIf(detected_at, is_live = 0) AS replay_detected_at,
    dateDiff('second', live_detected_at, replay_detected_at) AS replay_later_s,
    sumIf(output_tokens, is_live = 1) AS live_output_tokens, sumIf(output_tokens, is_live = 0) AS replay_output_tokens
FROM both_runs
GROUP BY run_id, entity_type, entity_id
COMMENT 'Who has incidents in the live run, in a replay, or in both';
