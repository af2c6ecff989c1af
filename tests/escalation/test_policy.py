"""What a policy decides, and that nothing loosens it."""

import random

import pathspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.escalation.policy import (
    UNWRITTEN,
    VERDICTS,
    BadPolicy,
    Destination,
    Policy,
    Tier,
    blocked,
    decide,
    digest,
    globs,
    read,
)

HOUSE = read(
    b"""
default = "ask"
[[rule]]
name = "open source"
paths = ["docs/**", "/examples/"]
decision = "allow"
[[rule]]
name = "pricing"
paths = ["**/pricing/**"]
classification = "confidential"
decision = "on-prem"
[[rule]]
name = "no reviews elsewhere"
kinds = ["review"]
decision = "this-machine"
[[rule]]
name = "regions"
regions = ["us-east-1"]
decision = "never"
[[rule]]
name = "crown jewels"
paths = ["core/secret*.py"]
decision = "never"
"""
)


def to(kind: str = "ask", tier: Tier = "frontier", region: str = "eu") -> Destination:
    return Destination(kind, "anthropic", tier, region)


@pytest.mark.parametrize(
    ("paths", "destination", "verdict", "rule"),
    [
        ([], to(), "ask", "default"),
        (["src/a.py"], to(), "ask", "default"),
        (["docs/a.md"], to(), "allow", "open source"),
        (["examples/x/a.py"], to(), "allow", "open source"),
        (["lib/examples/a.py"], to(), "ask", "default"),
        (["docs/a.md", "src/a.py"], to(), "ask", "default"),
        (["docs/pricing/a.md"], to(), "on-prem", "pricing"),
        (["docs/pricing/a.md"], to(tier="on-prem"), "ask", "pricing"),
        (["docs/a.md"], to("review"), "this-machine", "no reviews elsewhere"),
        (["docs/a.md"], to(region="us-east-1"), "never", "regions"),
        ([], to("review"), "this-machine", "no reviews elsewhere"),
        (["docs/a.md", "core/secret_sauce.py"], to(), "never", "crown jewels"),
    ],
)
def test_a_decision(paths: list[str], destination: Destination, verdict: str, rule: str) -> None:
    found = decide([HOUSE], paths, destination)
    assert (found.verdict, found.rule) == (verdict, rule)
    assert "\n" not in found.reason
    if found.path:
        assert found.path in found.reason


def test_what_is_known_about_a_file_is_said() -> None:
    found = decide([HOUSE], ["docs/pricing/a.md", "src/a.py"], to())
    assert found.classifications == ("confidential",)
    assert found.path == "docs/pricing/a.md"
    assert found.reason == "docs/pricing/a.md: on-prem by the policy's rule 'pricing'"


def test_patterns_for_the_index_and_for_engines_elsewhere() -> None:
    assert globs([HOUSE], "never") == ("core/secret*.py",)
    assert globs([HOUSE], "never", "this-machine", "on-prem") == (
        "**/pricing/**",
        "core/secret*.py",
    )
    assert globs([HOUSE, blocked(b"")], "never") == ("**", "core/secret*.py")
    assert globs([UNWRITTEN], "never") == ()
    closed = read(b"default = 'never'\n[[rule]]\npaths = ['docs/']\ndecision = 'ask'")
    assert globs([HOUSE, closed], "never") == ("**", "!docs/", "core/secret*.py")
    assert globs([closed, blocked(b"")], "never") == ("**",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("default = ", "no TOML"),
        ("default = 'maybe'", "default must be one of"),
        ("deafult = 'never'", "unknown key deafult"),
        ("rule = 1", "list of tables"),
        ("[[rule]]\nname = 'a'", "decision must be one of"),
        ("[[rule]]\nname = 'default'\ndecision = 'allow'", "not `default`"),
        ("[[rule]]\npath = ['a']\ndecision = 'never'", "unknown key path"),
        ("[[rule]]\npaths = 'a'\ndecision = 'never'", "must be a list"),
        ("[[rule]]\npaths = []\ndecision = 'never'", "is empty"),
        ("[[rule]]\npaths = ['!a']\ndecision = 'never'", "would loosen"),
        ("[[rule]]\nkinds = ['akk']\ndecision = 'never'", "no kind akk"),
        ("[[rule]]\nclassification = 1\ndecision = 'never'", "must be a text"),
    ],
)
def test_a_bad_policy_is_refused_and_blocks(content: str, reason: str) -> None:
    with pytest.raises(BadPolicy, match=reason) as refused:
        read(content.encode())
    assert "\n" not in str(refused.value)
    found = decide([blocked(content.encode()), HOUSE], ["docs/a.md"], to())
    assert found.verdict == "never"


VERDICT = st.sampled_from(VERDICTS)
RULES = st.lists(st.tuples(st.sampled_from(["a/**", "b/**", "*.py", ""]), VERDICT), max_size=5)


def policy(default: str, rows: list[tuple[str, str]]) -> Policy:
    lines = [f'default = "{default}"']
    for path, decision in rows:
        lines += [
            "[[rule]]",
            f'decision = "{decision}"',
            *([f'paths = ["{path}"]'] if path else []),
        ]
    return read("\n".join(lines).encode())


@given(
    VERDICT,
    RULES,
    VERDICT,
    RULES,
    st.lists(st.sampled_from(["a/x.py", "b/y", "c.py"])),
    st.randoms(use_true_random=False),
)
def test_more_never_loosens(
    default: str,
    rows: list[tuple[str, str]],
    other: str,
    others: list[tuple[str, str]],
    paths: list[str],
    dice: random.Random,
) -> None:
    """Another policy, another file: the verdict stays or gets stricter; order does not count."""
    one, two = policy(default, rows), policy(other, others)
    alone = VERDICTS.index(decide([one], paths, to()).verdict)
    assert VERDICTS.index(decide([one, two], paths, to()).verdict) <= alone
    if paths:
        assert VERDICTS.index(decide([one], [*paths, "d"], to()).verdict) <= alone
    shuffled = [*rows]
    dice.shuffle(shuffled)
    assert decide([policy(default, shuffled)], paths, to()).verdict == VERDICTS[alone]


@given(st.lists(st.tuples(VERDICT, RULES), min_size=1, max_size=3))
def test_patterns_let_nothing_in_that_a_policy_forbids(
    policies: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    """And of a single policy exactly what it forbids."""
    read_ones = [policy(default, rows) for default, rows in policies]
    spec = pathspec.PathSpec.from_lines("gitignore", globs(read_ones, "never"))
    for path in ("a/x.py", "a/z", "b/y", "c.py", "d"):
        forbidden = decide(read_ones, [path], to()).verdict == "never"
        assert spec.match_file(path) or not forbidden
        if len(read_ones) == 1:
            assert spec.match_file(path) == forbidden


def test_digests_tell_policies_apart() -> None:
    assert digest([HOUSE]) == HOUSE.sha256
    assert len({digest([HOUSE]), digest([HOUSE, UNWRITTEN]), digest([UNWRITTEN])}) == 3
