; The conventions of these files are in `__init__.py` beside them.

(element
  (start_tag
    (tag_name) @tag)
  .
  (text) @name
  (#match? @tag "^[hH][1-6]$")) @heading

(element
  (start_tag
    (attribute
      (attribute_name) @attribute
      (quoted_attribute_value
        (attribute_value) @name)))
  (#eq? @attribute "id")) @heading
