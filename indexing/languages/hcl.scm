; The conventions of these files are in `__init__.py` beside them.

(block
  (string_lit
    (template_literal) @name)
  .
  (block_start)) @heading

(block
  .
  (identifier) @name
  .
  (block_start)) @heading

(block
  .
  (identifier) @block
  (body
    (attribute
      .
      (identifier) @name) @heading)
  (#eq? @block "locals"))
