-- The items, each with the category it was last sold under. When one came or went the data do not say: the first and
-- last line of an item are its sales, not its launch and end.
SELECT
    item AS product_id,
    arg_max(category, ("date", category)) AS product_line
FROM lines
WHERE category <> ''
GROUP BY item
