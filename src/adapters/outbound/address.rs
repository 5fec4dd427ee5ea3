//! Which addresses may be reached: public ones, and those that the operator allowed. Pure.
//!
//! The lists follow the IANA special-purpose registries (RFC 6890 and its updates); what isn't globally reachable is
//! refused, and so is what only wraps another address.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// IPv4 networks that aren't the public Internet.
const REFUSED_V4: [Ipv4Net; 17] = [
    // "This network" and the unspecified address: RFC 791 section 3.2.
    v4(0, 0, 0, 0, 8),
    // Private use: RFC 1918.
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    // Shared by carrier-grade NAT: RFC 6598. Some clouds answer for their metadata here.
    v4(100, 64, 0, 0, 10),
    // Loopback: RFC 1122 section 3.2.1.3.
    v4(127, 0, 0, 0, 8),
    // Link-local: RFC 3927. Most clouds answer for their metadata here.
    v4(169, 254, 0, 0, 16),
    // IETF protocol assignments: RFC 6890 section 2.1.
    v4(192, 0, 0, 0, 24),
    // Documentation: RFC 5737.
    v4(192, 0, 2, 0, 24),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // Relays of 6to4, deprecated: RFC 7526.
    v4(192, 88, 99, 0, 24),
    // Benchmarking: RFC 2544.
    v4(198, 18, 0, 0, 15),
    // Multicast: RFC 5771.
    v4(224, 0, 0, 0, 4),
    // Reserved, and limited broadcast: RFC 1112 section 4, RFC 8190.
    v4(240, 0, 0, 0, 4),
    // AS112 and AMT anycast, served by whoever is near: RFC 7535, RFC 7450.
    v4(192, 52, 193, 0, 24),
    // The host agent of Azure, a public address that only means the own machine's host.
    v4(168, 63, 129, 16, 32),
];

/// Global unicast: RFC 4291 section 2.4 as assigned by IANA so far. All else of IPv6 is refused: loopback, unspecified,
/// IPv4-mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96, RFC 6052; 64:ff9b:1::/48, RFC 8215), discard-only, unique local
/// (fc00::/7), link-local (fe80::/10), site-local, multicast.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Parts of global unicast that aren't the public Internet.
const REFUSED_V6: [Ipv6Net; 4] = [
    // IETF protocol assignments: Teredo, benchmarking, ORCHID and others: RFC 2928, RFC 6890.
    v6(0x2001, 0, 0, 23),
    // Documentation: RFC 3849, RFC 9637.
    v6(0x2001, 0x0db8, 0, 32),
    v6(0x3fff, 0, 0, 20),
    // 6to4, which wraps any IPv4 address: RFC 3056.
    v6(0x2002, 0, 0, 16),
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !REFUSED_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => GLOBAL_V6.contains(&address) && !REFUSED_V6.iter().any(|net| net.contains(&address)),
    }
}

/// What may be reached.
#[derive(Debug)]
pub struct Reach {
    allowed: Vec<IpNet>,
    public: Public,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Public {
    Permitted,
    Refused,
}

impl Reach {
    /// Public addresses, and the networks given.
    pub const fn with_allowed(allowed: Vec<IpNet>) -> Self {
        Self { allowed, public: Public::Permitted }
    }

    /// The networks given and nothing else.
    pub const fn only(allowed: Vec<IpNet>) -> Self {
        Self { allowed, public: Public::Refused }
    }

    /// Whether the operator named a network that holds the address.
    pub fn operator_allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&address))
    }

    pub fn permits(&self, address: IpAddr) -> bool {
        self.operator_allows(address) || (self.public == Public::Permitted && is_public(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(refused.parse().unwrap()), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_operator_may_allow_networks_and_nothing_more() {
        let loopback = || vec!["127.0.0.0/8".parse().unwrap()];
        let at = |text: &str| text.parse().unwrap();
        let wide = Reach::with_allowed(loopback());
        assert!(wide.permits(at("127.0.0.1")) && wide.permits(at("8.8.8.8")));
        assert!(!wide.permits(at("10.0.0.1")) && !wide.permits(at("::1")) && !wide.permits(at("::ffff:127.0.0.1")));
        let narrow = Reach::only(loopback());
        assert!(narrow.permits(at("127.0.0.1")) && !narrow.permits(at("8.8.8.8")));
    }
}
