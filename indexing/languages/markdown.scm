; The conventions of these files are in `__init__.py` beside them.

(section
  .
  (atx_heading
    heading_content: (_) @name)) @heading

(setext_heading
  heading_content: (_) @name) @heading
