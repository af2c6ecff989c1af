; The conventions of these files are in `__init__.py` beside them.

(table
  .
  (_) @name) @heading

(table_array_element
  .
  (_) @name) @heading

(pair
  .
  [
    (bare_key)
    (dotted_key)
    (quoted_key)
  ] @name) @heading
