SELECT columns.table, tables.comment, columns.name, replaceRegexpAll(columns.type, '\\s+', ' ') AS type, columns.comment
FROM system.columns AS columns
INNER JOIN system.tables AS tables ON tables.database = columns.database AND tables.name = columns.table
WHERE columns.database = {database:String} AND (tables.engine LIKE '%MergeTree' OR tables.engine = 'View')
ORDER BY columns.table, columns.position
