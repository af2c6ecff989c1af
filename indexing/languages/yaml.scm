; The conventions of these files are in `__init__.py` beside them.

(document
  (block_node
    (block_mapping
      (block_mapping_pair
        key: (_) @name) @heading)))

(document
  (block_node
    (block_mapping
      (block_mapping_pair
        value: (block_node
          (block_mapping
            (block_mapping_pair
              key: (_) @name) @heading))))))

; Half typed.
(ERROR
  (block_mapping_pair
    key: (_) @name) @heading)
