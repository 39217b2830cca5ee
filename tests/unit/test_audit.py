"""The check of the lock finds what it is for."""

from tests.audit import Advisories, packages, without_hashes


def test_a_version_that_is_known_to_be_bad_is_found() -> None:
    advisories = Advisories.read()
    (found,) = [it for it in advisories.of("PyYAML", "3.13") if "CVE-2017-18342" in it]
    assert found.startswith("PyYAML 3.13: pyup.io-36333")
    assert not list(advisories.of("pyyaml", "6.0.2"))
    assert not list(advisories.of("nobody-has-this-package", "1"))


def test_every_file_has_a_hash() -> None:
    assert len(packages()) > 100
    assert without_hashes({"name": "x"}) == ["x"]
    assert without_hashes({"name": "x", "sdist": {"url": "u"}, "wheels": [{"url": "v", "hash": "sha256:1"}]}) == ["u"]
