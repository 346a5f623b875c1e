//! Who may be relayed to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is anybody's on the internet: a relay that reaches others lets strangers
/// into the network that it stands in (RFC 8656 section 21.1.6, RFC 6890).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => ip
            .to_ipv4_mapped()
            .map_or_else(|| is_public_v6(ip), is_public_v4),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    !(first == 0
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        // Shared between a carrier and its customers (RFC 6598).
        || (first == 100 && (64..128).contains(&second))
        // IETF protocol assignments, benchmarks, reserved.
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && (18..20).contains(&second))
        || first >= 240)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    // Global unicast (RFC 4291 section 2.4), less documentation, Teredo and 6to4, which lead
    // wherever the IPv4 address in them leads.
    (segments[0] & 0xe000) == 0x2000
        && segments[..2] != [0x2001, 0xdb8]
        && segments[..2] != [0x2001, 0]
        && segments[0] != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_own_networks_are_not_relayed_to() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            let parsed: Option<IpAddr> = ip.parse().ok();
            assert_eq!(parsed.map(is_public), Some(false), "{ip}");
        }
        for ip in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ] {
            let parsed: Option<IpAddr> = ip.parse().ok();
            assert_eq!(parsed.map(is_public), Some(true), "{ip}");
        }
    }
}
