"""Attacks that were published against assistants of this kind, tried on this installation.

Contract: `attacks.py` is data; `trial.py` plays one attack in a home and a folder of its own,
with this user's and this administrator's rules, real processes, and a model that obeys every
instruction it reads; `provider.py` is that model, on the loopback.
Absent: any path to a real provider or key, and any defence: what holds is elsewhere.
"""
