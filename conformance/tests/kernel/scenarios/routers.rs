//! The routers are what their names say: without that, no other scenario means anything.

use crate::{
    internet::{Home, Internet, Middle},
    namespace::run_name,
    nat_probe::{self, Behaviour, Depends},
    router::{Firewall, Nat},
    scenarios::Scenario,
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

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new("routers-behave-as-named", || {
        let homes = [
            Home::behind(Nat::None),
            Home::behind(Nat::FullCone),
            Home::behind(Nat::Cone),
            Home::behind(Nat::Symmetric),
            Home::behind(Nat::Cone).firewall(Firewall::NoUdp),
            Home::behind(Nat::Cone).firewall(Firewall::TlsOnly),
        ];
        let mut internet = Internet::new(&run_name(), Middle::default());
        for home in homes {
            let (host, _) = internet.settle(home);
            assert_eq!(nat_probe::look(&internet, host), expected(home), "{home:?}");
        }
    })]
}
