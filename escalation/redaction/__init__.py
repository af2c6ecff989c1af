"""What must not leave, found in a text and masked, so that an answer can be put back.

Invariant: everything here is a pure function of its arguments; nothing is read or sent.
Invariant: no word in a text under scan switches a rule off.
Invariant: time is linear in the text, whatever the text (RE2, no backtracking).
"""
