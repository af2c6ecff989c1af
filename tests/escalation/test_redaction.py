"""What is masked, what is not, and the way back."""

import base64
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.escalation.redaction import checks
from wicket.escalation.redaction.detection import find
from wicket.escalation.redaction.known import NOTHING, known
from wicket.escalation.redaction.masking import Edit, Masks, Misplaced
from wicket.escalation.redaction.rules import BadRules, Rule, joined, read, shipped

from .planted_secrets import PERSONAL, clean_sources, planted

PACK = shipped()
SECRET = "Zt6Vb9Wn1Lk5"
KEY_LINES = "-----BEGIN PRIVATE KEY-----\n" + "A7" * 32 + "\n-----END PRIVATE KEY-----"


def masks(*secrets: str) -> Masks:
    return Masks(PACK, known(secrets), mark="7f3a")


@pytest.mark.parametrize("rule", PACK.rules, ids=lambda rule: rule.id)
def test_each_rule_finds_its_examples(rule: Rule) -> None:
    assert rule.examples
    assert rule.source.startswith(("https://", "CWE-", "ISO"))
    for example in rule.examples:
        assert rule.id in {one.rule for one in find(example, PACK, NOTHING)}


# What stands between the arrows is masked, and nothing else.
@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['DB_PASSWORD']",
        'password = "changeme"',
        'password = getpass("Password: ")',
        "password_field = form.password_field",
        'token = "${TOKEN}"',
        'API_KEY = "your-api-key-here-1234"',
        'token_url = "https://host/oauth/token"',
        "sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
        "id = '123e4567-e89b-12d3-a456-426614174000'",
        "git clone git@github.com:owner/name.git",
        "see user@example.com",
        "postgres://localhost:5432/app",
        "https://user@host/path",
        "number = 4539578763621487",
        "x = 1234-56-7890",
        'if header == "-----BEGIN PRIVATE KEY-----":\n    read()',
        "csrf_token = request.csrf_token",
        "class TokenError(Exception): ...",
        'db_password: str = "«Zt6Vb9Wn1»"',
        "'password': '«hunter2»'",
        "redis://:«Zt6Vb9Wn1»@cache:6379/0",
        "AWS = '«AKIAZ7Q4WXK2M5N3P6RT»'  # gitleaks:allow",
        "AWS = '«AKIAZ7Q4WXK2M5N3P6RT»'  # pragma: allowlist secret",
        "ämter@@ «maria.keller@bank-nord.de», größe",
        "iban: «DE89 3704 0044 0532 0130 00»;",
        "a«\u200b»b, «\u202e»txt",
        "«\U000e0041\U000e0042»hidden",
        "AWS = '«AKIAZ7Q4\u200bWXK2\u200dM5N3P6RT»'",
        "Authorization: Bearer «k3Jv8Qw2Nz5Xm7Lp1Rt9»",
    ],
)
def test_what_is_masked(text: str) -> None:
    plain = re.sub("[«»]", "", text)
    wanted = re.findall("«(.*?)»", text, re.DOTALL)
    assert [plain[one.start : one.end] for one in find(plain, PACK, NOTHING)] == wanted


@pytest.mark.parametrize(
    ("check", "value", "holds"),
    [
        # Published examples of the bodies that give the numbers out.
        ("iban", "GB82 WEST 1234 5698 7654 32", True),
        ("iban", "GB82 WEST 1234 5698 7654 33", False),
        ("iban", "DE89370400440532013000", True),
        ("iban", "DE8937040044053201300", False),
        ("card", "4111 1111 1111 1111", False),
        ("card", "4539 5787 6362 1486", True),
        ("card", "378282246310005", True),
        ("card", "378282246310006", False),
        ("de-tax", "86095742719", True),
        ("de-tax", "86095742718", False),
        ("us-ssn", "536-90-4399", True),
        ("us-ssn", "666-90-4399", False),
        ("us-ssn", "078-00-1120", False),
        ("fr-nir", "255081416802538", True),
        ("fr-nir", "255081416802539", False),
        ("es-dni", "12345678Z", True),
        ("es-dni", "12345678A", False),
        ("es-dni", "X1234567L", True),
        ("it-cf", "RSSMRA85T10A562S", True),
        ("it-cf", "RSSMRA85T10A562T", False),
        ("nl-bsn", "111222333", True),
        ("nl-bsn", "111222334", False),
        ("gb-nhs", "943 476 5919", True),
        ("gb-nhs", "943 476 5918", False),
        ("pl-pesel", "44051401359", True),
        ("pl-pesel", "44051401358", False),
        ("br-cpf", "529.982.247-25", True),
        ("br-cpf", "529.982.247-26", False),
        ("mail", "a@example.org", False),
        ("mail", "noreply@corp.io", False),
    ],
)
def test_checksums(check: str, value: str, holds: bool) -> None:
    assert checks.CHECKS[check](value) is holds


def leaked(value: str, text: str) -> bool:
    """All of it, or of a long one the middle."""
    return value in text or (len(value) >= 20 and value[6:-6] in text)


def test_a_planted_corpus() -> None:
    """Recall by kind; nothing of a planted value may be left, not even a part."""
    missed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for one in planted(seed=11, count=40):
        total[one.kind] += 1
        masked = masks().mask(one.text).text
        missed[one.kind] += leaked(one.value, masked)
    kinds = {"secret": set(total) - set(PERSONAL), "personal": set(PERSONAL)}
    for name, those in kinds.items():
        recall = 1 - sum(missed[k] for k in those) / sum(total[k] for k in those)
        print(f"\n{name}: recall {recall:.4f} of {sum(total[k] for k in those)}", dict(+missed))
        assert recall >= 0.98, missed


def test_clean_files_stay_as_they_are() -> None:
    """Of what is in the standard library little but its authors' addresses is masked."""
    lines = 0
    found: Counter[str] = Counter()
    for text in clean_sources():
        lines += text.count("\n")
        found.update(one.rule for one in find(text, PACK, NOTHING))
    wrong = found.total() - found["mail-address"]
    print(f"\n{lines} lines, masked: {dict(found)}")
    assert wrong / lines < 1 / 5_000


@pytest.mark.parametrize(
    "way",
    [
        lambda s: s,
        lambda s: s[::-1],
        lambda s: s.encode().hex(),
        lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
        lambda s: base64.b64encode(b"user:" + s.encode()).decode().rstrip("="),
        lambda s: base64.urlsafe_b64encode(b"ab" + s.encode() + b"?").decode(),
        lambda s: s.replace("/", "%2F").replace("+", "%2B"),
    ],
)
@pytest.mark.parametrize("secret", ["plainwords-and-9", "a/b+c/d+e/f+g9", 'quo"te\\d-10'])
def test_a_known_secret_is_found_in_every_form(way: object, secret: str) -> None:
    assert callable(way)
    form = str(way(secret))
    masked = masks(secret).mask(f"before\n{form} after")
    assert form not in masked.text
    assert {cut.rule for cut in masked.cuts} == {"known-secret"}


@pytest.mark.parametrize("value", ["true", "8080", "localhost", "production", "/usr/bin", "word"])
def test_ordinary_settings_are_no_secrets(value: str) -> None:
    assert known([value]) == NOTHING


@given(st.integers(1, len(SECRET) - 1), st.text("ab c\n", max_size=20))
def test_a_secret_split_over_two_pieces(cut: int, around: str) -> None:
    """Of one file: all of it is found.  Of two: what is long enough to be known again."""
    one, other = around + "x " + SECRET[:cut], SECRET[cut:] + " y" + around
    first, second = masks(SECRET).mask_pieces([one, other])
    assert SECRET not in first.text + second.text
    assert SECRET[:cut] not in first.text.replace(around, "", 1).split()
    alone = masks(SECRET)
    apart = alone.mask(one).text, alone.mask(other).text
    assert max(sum(SECRET[:n] in apart[0] for n in range(8, len(SECRET))), 0) == 0


@given(
    st.lists(st.sampled_from(["ab ", "é", "\n", SECRET, KEY_LINES, "maria@corp.io ", "\u200b"])),
    st.data(),
)
def test_an_edit_finds_its_way_back(parts: list[str], data: st.DataObject) -> None:
    """What an edit keeps comes back as it was, wherever the edit begins and ends."""
    text = "".join(parts)
    exchange = masks(SECRET)
    masked = exchange.mask(text)
    assert SECRET not in masked.text
    start = data.draw(st.integers(0, len(masked.text)))
    end = data.draw(st.integers(start, len(masked.text)))
    for first, last in ((0, len(masked.text)), (start, end)):
        try:
            (edit,) = exchange.restored(masked, [Edit(first, last, masked.text[first:last])])
        except Misplaced:
            assert (first, last) == (start, end)
            assert [c for c in masked.cuts if c.start < start < c.end or c.start < end < c.end]
            return
        assert text[: edit.start] + edit.new + text[edit.end :] == text


OTHER = "other-secret-2"
LINES = f"a = '{SECRET}'\nb = '{OTHER}'\nc\nd = 1\n"


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ([("a = '@1'", "call('@1')")], f"call('{SECRET}')\nb = '{OTHER}'\nc\nd = 1\n"),
        # Moved, by one edit or by two, and gone.
        ([("a = '@1'\n", ""), ("c\n", "c\na = '@1'\n")],
         f"b = '{OTHER}'\nc\na = '{SECRET}'\nd = 1\n"),
        ([("c\n", "c\na = '@1'\n"), ("a = '@1'\nb = '@2'\n", "b = f('@2')\n")],
         f"b = f('{OTHER}')\nc\na = '{SECRET}'\nd = 1\n"),
        ([("a = '@1'\n", "")], f"b = '{OTHER}'\nc\nd = 1\n"),
        ([("a = '@1'", 'a = f"x{y}@1"')], f'a = f"x{{y}}{SECRET}"\nb = \'{OTHER}\'\nc\nd = 1\n'),
    ],
)  # fmt: skip
def test_a_placeholder_comes_back_wherever_a_change_of_its_file_puts_it(
    edits: list[tuple[str, str]], wanted: str
) -> None:
    assert changed(edits) == wanted


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([("'@1'", "'@1' + '@1'")], "WICKET_SECRET_1_7f3a did not stand in what is replaced"),
        ([("a = '@1'", "a = '@2'")], "WICKET_SECRET_2_7f3a did not stand"),
        ([("c\n", "c\na = '@1'\n")], "WICKET_SECRET_1_7f3a did not stand"),
        ([("c\n", "c = 'WICKET_SECRET_9_7f3a'\n")], "WICKET_SECRET_9_7f3a stands for nothing"),
        ([("c\n", "c = 'WICKET_SECRET_1_0000'\n")], "altered or taken apart"),
        ([("'@1'", "'wicket_secret_1_7f3a'")], "altered or taken apart"),
        ([("'@1'", "'WICKET_' 'SECRET_1_7f3a'")], "altered or taken apart"),
        ([("'@1'", "'WICKET_SECRET_' + str(1) + '_7f3a'")], "altered or taken apart"),
        ([("'@1'", "'WICKET-SECRET-1-7F3A'")], "altered or taken apart"),
        ([("'@1'", "\"WICKET\"\n    '_SECRET_1_7f3a'")], "altered or taken apart"),
        ([("'@1'", "@1")], "leave its quotation marks"),
        ([("'@1'", "'x' + @1")], "leave its quotation marks"),
        ([("'@1'", "f'{@1}'")], "no braces around it"),
        ([("'@1'", "f'{@1!r}'")], "no braces around it"),
        ([("SECRET_1_7f3a'", "x")], "inside of a placeholder"),
    ],
)
def test_what_would_leave_or_break_a_placeholder_is_no_edit(
    edits: list[tuple[str, str]], why: str
) -> None:
    with pytest.raises(Misplaced, match=why):
        changed(edits)


def changed(edits: list[tuple[str, str]], text: str = LINES, said: str = "") -> str:
    """`text` after edits of what is shown of it, in which @1 is its first placeholder."""
    exchange = Masks(joined([PACK, read(b'words = ["Nordbank"]')]), known([SECRET, OTHER]), "7f3a")
    said = exchange.mask(said).text
    masked = exchange.mask(text)
    names = list(dict.fromkeys(masked.text[cut.start : cut.end].strip() for cut in masked.cuts))

    def spelt(words: str) -> str:
        for number, name in enumerate(names, 1):
            words = words.replace(f"@{number}", name)
        return words

    rows = [(masked.text.index(spelt(old)), spelt(old), spelt(new)) for old, new in edits]
    made = [Edit(at, at + len(old), new) for at, old, new in rows]
    for one in sorted(exchange.restored(masked, made, said), key=lambda one: -one.start):
        text = text[: one.start] + one.new + text[one.end :]
    return text


def test_words_of_the_house_and_of_the_user_come_back_as_often_as_they_are_used() -> None:
    text = "nordbank_client = 1\nx = 2\n"
    assert changed([("x = 2", "x = @1_client + @1_rate")], text) == (
        "nordbank_client = 1\nx = nordbank_client + nordbank_rate\n"
    )
    edits = [("d = 1", "d = 'WICKET_PERSONAL_1_7f3a', 'WICKET_PERSONAL_1_7f3a'")]
    found = changed(edits, said="put maria@corp.io there")
    assert "d = 'maria@corp.io', 'maria@corp.io'" in found
    with pytest.raises(Misplaced, match="stands for nothing"):
        changed(edits)


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        # Its line breaks are the key's own: they go where it goes.
        ([("k = '''@1", "q = '''@1")], "q = '''{}'''\nlast = 1\n"),
        ([("k = '''@1\n", "q = '''@1\n")], "q = '''{}'''\nlast = 1\n"),
        ([("k = '''@1\n\n'''", "q = (\n'''@1'''\n)")], "q = (\n'''{}'''\n)\nlast = 1\n"),
        ([("\n'''\nlast = 1", "\n'''\nlast = 2")], "k = '''{}'''\nlast = 2\n"),
        ([("\n\n'''\nlast = 1", "'''\nlast = 2")], "k = '''{}'''\nlast = 2\n"),
        ([("k = '''@1\n\n'''\n", ""), ("last = 1\n", "last = 1\nk = '''@1\n\n'''\n")],
         "last = 1\nk = '''{}'''\n"),
    ],
)  # fmt: skip
def test_a_key_of_several_lines_keeps_them(edits: list[tuple[str, str]], wanted: str) -> None:
    text = f"k = '''{KEY_LINES}'''\nlast = 1\n"
    assert changed(edits, text) == wanted.replace("{}", KEY_LINES)


def test_what_nobody_sees_stays_in_the_lines_that_stay() -> None:
    text = "a = '\u202e1'\nb = 2\nc = '\u200b3'\n"
    edit = ("a = '1'\nb = 2\nc = '3'\n", "a = '1'\nb = 4\nc = '3'\n")
    assert changed([edit], text) == text.replace("2\n", "4\n")


@given(st.text(max_size=200))
def test_masking_twice_masks_no_more(text: str) -> None:
    once = masks(SECRET).mask(text + SECRET).text
    assert masks(SECRET).mask(once).text == once


def test_the_same_value_has_one_name_and_lines_keep_their_numbers() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "A7" * 32 + "\n-----END PRIVATE KEY-----"
    exchange = masks()
    masked = exchange.mask(f"k = '''{key}'''\nmail = 'maria@corp.io'\n# maria@corp.io\n")
    names = [masked.text[c.start : c.end].strip() for c in masked.cuts]
    assert names == ["WICKET_SECRET_1_7f3a", *["WICKET_PERSONAL_1_7f3a"] * 2]
    assert masked.text.count("\n") == 5
    assert Masks(PACK).mask("maria@corp.io").text != masked.text


def test_the_words_of_a_house() -> None:
    own = read(b'words = ["Nordbank", "Project Heron"]')
    both = joined([PACK, own])
    found = find("class NordbankClient: # project heron", both, NOTHING)
    assert [one.rule for one in found] == ["house-word"] * 2
    assert both.sha256 not in (PACK.sha256, own.sha256)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[[rule", "no TOML"),
        ("words = ['abc']", "too short"),
        ("words = 'abcd'", "list of texts"),
        ("other = 1", "unknown key other"),
        ("[[rule]]\nid = 'x'", "needs an id and a pattern"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'y'", "class of rule x"),
        ("[[rule]]\nid = 'x'\npattern = 'a(?=b)'\nclass = 'secret'", "not one of RE2"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'secret'\ncheck = 'no'", "unknown check"),
        ("[[rule]]\nid = 'x'\npattern = 'a'\nclass = 'secret'\ntypo = 1", "unknown key typo"),
    ],
)
def test_a_bad_rule_file_is_refused(content: str, reason: str) -> None:
    with pytest.raises(BadRules, match=reason):
        read(content.encode())


@pytest.mark.parametrize(
    "hostile",
    [
        "a@" * 40_000,
        "A" * 200_000,
        "password=" * 20_000,
        "0" * 100_000,
        "\n " * 50_000,
        "eyJ" * 40_000,
    ],
)
def test_no_text_makes_it_slow(hostile: str) -> None:
    """It ends; how fast is for the benchmark, but a pattern that backtracks would not end."""
    find(hostile, PACK, known([SECRET]))


def test_random_bytes_are_survived() -> None:
    dice = random.Random(1)
    for _ in range(50):
        text = "".join(chr(dice.choice((*range(128), 0xD800, 0x1F600, 0x202E))) for _ in range(500))
        masks(SECRET).mask(text)
