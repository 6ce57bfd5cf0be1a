from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookengine.domain.hook import Signing, SigningScheme
from hookengine.domain.secret import StoredSecret
from hookengine.domain.signature import new_name, renewed, signatures_of


def secret(owner: str, name: str) -> StoredSecret:
    return StoredSecret(owner=owner, name=name, hosts=(), updated_at=0)


@given(st.integers(min_value=1, max_value=6))
def test_however_often_it_is_renewed_the_newest_two_sign_the_newest_first(times: int) -> None:
    names = [new_name() for _ in range(times)]
    signing = None
    for name in names:
        signing = renewed(signing, name, names)

    assert signing == Signing(secrets=tuple(reversed(names[-2:])))


def test_one_that_is_gone_signs_no_more_but_the_one_before_it_does() -> None:
    gone, there, fresh = new_name(), new_name(), new_name()

    assert renewed(Signing(secrets=(gone, there)), fresh, [there]).secrets == (fresh, there)
    assert renewed(Signing(secrets=(gone,)), fresh, []).secrets == (fresh,)


def test_what_others_own_is_kept_by_name_unless_it_signs_as_github_does() -> None:
    fresh = new_name()

    assert renewed(Signing(secrets=("board",)), fresh, []).secrets == (fresh, "board")
    github = Signing(secrets=("board",), scheme=SigningScheme.GITHUB)
    assert renewed(github, fresh, []) == Signing(secrets=(fresh,))


def test_only_what_was_made_to_sign_what_this_hook_sends_is_its_signatures() -> None:
    name = new_name()
    own = secret("hook:a", name)
    others = [
        secret("hook:b", name),
        secret("", name),
        secret("hook:a", "chat"),
        secret("hook:a", f"{name}0"),
    ]

    assert signatures_of("a", [own, *others]) == (own,)
