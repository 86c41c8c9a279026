-- How far the scores of the windows that both runs have lie apart.
SELECT
    count() AS common,
    countIf(a.score != b.score) AS changed,
    avg(abs(a.score - b.score)) AS mean_shift,
    max(abs(a.score - b.score)) AS largest_shift
FROM (SELECT account_id, window_s, window_start, score FROM account_windows FINAL WHERE run_id = {a:String}) AS a
INNER JOIN (SELECT account_id, window_s, window_start, score FROM account_windows FINAL WHERE run_id = {b:String}) AS b
    USING (account_id, window_s, window_start)
