"""Addresses that a list may lead to."""

import ipaddress

import pytest

from face0.readers.access import Access
from face0.readers.addresses import Addresses, literal

PRIVATE = [
    "127.0.0.1",
    "127.255.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_permitted(address):
    assert not Addresses().permit("host", 80, address)
    assert Addresses(every=True).permit("host", 80, address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are(address):
    assert Addresses().permit("host", 80, address)


def test_hosts_networks_and_origins():
    allowed = Access.of(["http://127.0.0.1:8000/", "http://photos.lan", "https://photos.lan/", "http://10.0.0.0/8"])
    addresses = Addresses(hosts=allowed.hosts, networks=allowed.networks)
    assert addresses.permit("127.0.0.1", 8000, "127.0.0.1")
    assert not addresses.permit("127.0.0.1", 8001, "127.0.0.1")
    assert not addresses.permit("elsewhere", 8000, "127.0.0.1")
    assert addresses.permit("photos.lan", 80, "192.168.0.7")
    assert addresses.permit("photos.lan", 443, "192.168.0.7")
    assert addresses.permit("anything", 9000, "10.9.9.9")
    assert addresses.permit("anything", 9000, "::ffff:10.9.9.9")
    assert not addresses.permit("anything", 9000, "172.16.0.1")
    assert Access.of(["http://[fd00::]/8"]).networks == (ipaddress.ip_network("fd00::/8"),)
    assert not addresses.permit("192.168.0.9", 80, "192.168.0.9")
    addresses.origins.add(("192.168.0.9", 80))
    assert addresses.permit("192.168.0.9", 80, "192.168.0.9")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1."])
def test_an_address_is_seen_in_any_notation(host):
    assert literal(host) == "127.0.0.1"


def test_names_are_no_addresses():
    assert literal("example.org") is None
    assert literal("1.2.3.4.example.org") is None
    assert literal("[::1]") == "::1"
