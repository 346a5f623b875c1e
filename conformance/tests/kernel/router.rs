//! What stands between a home and the internet: NAT and firewall, in nftables.

use std::fmt::Write as _;

/// How IPv4 addresses are translated, in the terms of RFC 4787.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nat {
    /// Not at all, and nothing is filtered.
    None,
    /// Endpoint-independent mapping and filtering ("full cone").
    FullCone,
    /// What Linux does by itself: the mapping keeps the port, so it is the same for every
    /// endpoint; address and port-dependent filtering ("port-restricted cone").
    Cone,
    /// Another random port for each endpoint; address and port-dependent filtering ("symmetric").
    Symmetric,
}

/// What is let out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Firewall {
    /// Everything.
    Open,
    /// No UDP.
    NoUdp,
    /// TCP to the ports of HTTPS (443) and of TURN over TLS (5349) only.
    TlsOnly,
}

/// Everything about a router that its rules depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Router<'a> {
    pub(crate) nat: Nat,
    pub(crate) firewall: Firewall,
    /// Of the line to the internet, bytes.
    pub(crate) mtu: u16,
    /// Whether it tells who sent a packet that was too big.
    pub(crate) tells_size: bool,
    /// The host behind it.
    pub(crate) host: &'a str,
}

/// Ethernet's.
pub(crate) const USUAL_MTU: u16 = 1500;

/// Counts fragments where nothing has put them together yet: connection tracking does at -400.
const FRAGMENTS: &str = r#"
  counter fragments { }
  chain early {
    type filter hook prerouting priority -450
    ip frag-off & 0x3fff != 0 counter name "fragments"
    exthdr frag exists counter name "fragments"
  }
"#;

/// Nobody is told that a packet was too big.
const SILENCE: &str = r#"
  chain silence {
    type filter hook output priority 0
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
"#;

impl Router<'_> {
    /// The rules; its interfaces are `lan` and `wan`.
    pub(crate) fn rules(&self) -> String {
        let mut rules = format!("table inet path {{{FRAGMENTS}\n{}", self.filter());
        if !self.tells_size {
            rules.push_str(SILENCE);
        }
        rules.push_str("}\n");
        rules.push_str(&self.translation());
        rules
    }

    fn filter(&self) -> String {
        let mut forward = String::new();
        let mut rule = |text: &str| {
            let _ = writeln!(forward, "    {text}");
        };
        if self.mtu < USUAL_MTU {
            // As routers on such lines do, or hardly any web server could be reached through them.
            let segment = self.mtu - 40;
            rule(&format!(
                "tcp flags syn / syn,rst meta nfproto ipv4 tcp option maxseg size set {segment}"
            ));
            let segment = self.mtu - 60;
            rule(&format!(
                "tcp flags syn / syn,rst meta nfproto ipv6 tcp option maxseg size set {segment}"
            ));
        }
        match self.firewall {
            Firewall::Open => {}
            Firewall::NoUdp => rule("meta l4proto udp drop"),
            Firewall::TlsOnly => {
                rule("ct state established,related accept");
                rule("iifname \"lan*\" tcp dport { 443, 5349 } accept");
                rule("drop");
            }
        }
        match self.nat {
            Nat::None => {
                return format!(
                    "  chain forward {{\n    type filter hook forward priority 0\n{forward}  }}\n"
                );
            }
            // There is no translation for IPv6, but what nobody asked for stays outside.
            Nat::FullCone => rule("iifname \"wan\" meta nfproto ipv6 ct state new drop"),
            Nat::Cone | Nat::Symmetric => rule("iifname \"wan\" ct state new drop"),
        }
        // Without the chain `input`, what came for nobody would take up the port that the answer
        // to it needs.
        format!(
            r#"  chain forward {{
    type filter hook forward priority 0
{forward}  }}
  chain input {{
    type filter hook input priority 0
    iifname "wan" icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept
    iifname "wan" ct state new drop
  }}
"#
        )
    }

    fn translation(&self) -> String {
        let masquerade = match self.nat {
            Nat::None => return String::new(),
            Nat::FullCone | Nat::Cone => "masquerade",
            Nat::Symmetric => "masquerade fully-random",
        };
        let inward = match self.nat {
            Nat::FullCone => format!(
                r#"  chain inward {{
    type nat hook prerouting priority -100
    iifname "wan" meta l4proto udp dnat to {}
  }}
"#,
                self.host
            ),
            Nat::None | Nat::Cone | Nat::Symmetric => String::new(),
        };
        format!(
            r#"table ip nat {{
{inward}  chain outward {{
    type nat hook postrouting priority 100
    oifname "wan" {masquerade}
  }}
}}
"#
        )
    }
}

/// The rules of the internet itself.
pub(crate) fn internet(loss_percent: u8, tells_size: bool) -> String {
    let loss = match loss_percent {
        0 => String::new(),
        percent => format!("    meta l4proto udp numgen random mod 100 < {percent} drop\n"),
    };
    let silence = if tells_size { "" } else { SILENCE };
    format!(
        r#"table inet path {{{FRAGMENTS}
  counter direct {{ }}
  chain nobody {{
    type filter hook prerouting priority -460
    iifname "void" drop
  }}
  chain forward {{
    type filter hook forward priority 0
    meta l4proto udp counter name "direct"
{loss}  }}
{silence}}}
"#
    )
}
