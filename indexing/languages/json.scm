; The conventions of these files are in `__init__.py` beside them.

(document
  (object
    (pair
      key: (string
        (string_content) @name)) @heading))

(document
  (object
    (pair
      value: (object
        (pair
          key: (string
            (string_content) @name)) @heading))))

; Half typed.
(ERROR
  (pair
    key: (string
      (string_content) @name)) @heading)
