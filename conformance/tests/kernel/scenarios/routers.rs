//! The routers are what their names say: without that, no other scenario means anything.

use serde_json::Value;

use crate::{
    internet::{Home, Internet, Middle},
    namespace::run_name,
    nat_probe::{self, Behaviour, Depends},
    program::Program,
    router::{Firewall, Nat},
    scenarios::Scenario,
    world::World,
};

/// RFC 4787 sections 4.1 and 5.
fn expected(home: Home) -> Behaviour {
    if home.firewall != Firewall::Open {
        return Behaviour {
            mapping: Depends::Blocked,
            filtering: Depends::Blocked,
        };
    }
    let (mapping, filtering) = match home.nat {
        Nat::None | Nat::FullCone => (Depends::OnNothing, Depends::OnNothing),
        Nat::Cone => (Depends::OnNothing, Depends::OnAddressAndPort),
        Nat::Symmetric => (Depends::OnAddressAndPort, Depends::OnAddressAndPort),
    };
    Behaviour { mapping, filtering }
}

const HOMES: [Home; 6] = [
    Home::behind(Nat::None),
    Home::behind(Nat::FullCone),
    Home::behind(Nat::Cone),
    Home::behind(Nat::Symmetric),
    Home::behind(Nat::Cone).firewall(Firewall::NoUdp),
    Home::behind(Nat::Cone).firewall(Firewall::TlsOnly),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("routers-behave-as-named", probe),
        Scenario::new("doctor-sees-how-routers-behave", doctor),
    ]
}

fn probe() {
    let mut internet = Internet::new(&run_name(), Middle::default());
    for home in HOMES {
        let (host, _) = internet.settle(home);
        assert_eq!(nat_probe::look(&internet, host), expected(home), "{home}");
    }
}

/// The same by `p2claw doctor`.
fn doctor() {
    let mut world = World::new(Middle::default());
    let settled = HOMES.map(|home| (home, world.internet.settle(home)));
    // All at once, for each takes seconds.
    let looking = settled.map(|(home, place)| {
        let mut command = world.p2claw(world.internet.host(place.0));
        command.args(["doctor", "--json", "--coord", &world.coord(place)]);
        (home, Program::start("doctor", &mut command))
    });
    for (home, mut doctor) in looking {
        // The exit code says that no agent runs.
        let (_, said) = doctor.finish();
        assert_eq!(seen(home, &said), expected(home), "{home}: {said}");
    }
}

/// What `p2claw doctor --json` says of the NAT.
fn seen(home: Home, report: &str) -> Behaviour {
    let report: Value = serde_json::from_str(report).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name);
        check.unwrap_or_else(|| panic!("{home}: nothing was said of {name}: {report}"))
    };
    if home.firewall == Firewall::TlsOnly {
        // Coord has no TLS here, and without it the doctor knows of no server to ask.
        assert_eq!(check("connection")["verdict"], "failed", "{home}: {report}");
        assert!(check("connection")["advice"].is_string(), "{home}");
        return expected(home);
    }
    assert_eq!(check("connection")["verdict"], "ok", "{home}: {report}");
    let udp = check("udp");
    if udp["details"]["answered"] == 0 {
        assert!(udp["details"]["asked"].as_u64() > Some(0), "{home}: {udp}");
        assert_eq!(udp["verdict"], "warning", "{home}");
        assert!(udp["advice"].is_string(), "{home}: {udp}");
        return Behaviour {
            mapping: Depends::Blocked,
            filtering: Depends::Blocked,
        };
    }
    assert_eq!(udp["verdict"], "ok", "{home}: {udp}");
    let depends = |said: &Value| match said.as_str() {
        Some("endpoint-independent") => Depends::OnNothing,
        Some("address-dependent") => Depends::OnAddress,
        Some("address-and-port-dependent") => Depends::OnAddressAndPort,
        _ => panic!("{home}: what is {said}?"),
    };
    Behaviour {
        // Where there is no NAT there is nothing to tell of its mappings.
        mapping: match check("address")["details"]["nat"].as_bool().unwrap() {
            false => Depends::OnNothing,
            true => depends(&check("mapping")["details"]["mapping"]),
        },
        filtering: depends(&check("filtering")["details"]["filtering"]),
    }
}
