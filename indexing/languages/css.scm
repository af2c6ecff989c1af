; The conventions of these files are in `__init__.py` beside them.

(rule_set
  (selectors) @name
  (block) @body) @heading

(keyframes_statement
  (keyframes_name) @name) @heading

(media_statement
  .
  (_) @name) @heading
