"""What resolv.conf and hosts say."""

from __future__ import annotations

from portico.place.names import known_hosts, resolvers


def test_name_servers_are_read_as_nginx_takes_them() -> None:
    servers = ("10.0.0.53 # first", "fe80::1%eth0", "2001:db8::1", "")
    text = "# mine\nsearch lan\n" + "".join(f"nameserver {server}\n" for server in servers)
    assert resolvers(text) == ("10.0.0.53", "[2001:db8::1]")


def test_names_of_the_hosts_file_are_known() -> None:
    assert known_hosts("127.0.0.1 localhost local\n\n10.0.0.2 app-b # b\n") == {"localhost", "local", "app-b"}
