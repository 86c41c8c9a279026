-- How far the scores of the windows that both runs have lie apart.
SELECT
    count() AS common,
    countIf(a.score != b.score) AS changed,
    avg(abs(a.score - b.score)) AS mean_shift,
    max(abs(a.score - b.score)) AS largest_shift,
    quantilesExact(0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)(b.score - a.score) AS quantiles
FROM (SELECT account_id, window_s, window_start, score FROM account_windows FINAL WHERE run_id = {a:String}) AS a
INNER JOIN (SELECT account_id, window_s, window_start, score FROM account_windows FINAL WHERE run_id = {b:String}) AS b
    USING (account_id, window_s, window_start)
