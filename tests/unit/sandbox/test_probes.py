from sandbox.probes import dns_question


def test_a_question_is_a_dns_packet() -> None:
    packet = dns_question("a.example")
    assert packet[4:6] == b"\x00\x01"  # one question
    assert packet[12:] == b"\x01a\x07example\x00\x00\x01\x00\x01"  # name, type A, class IN
