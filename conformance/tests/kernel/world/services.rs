//! What stands in the middle: coord, edge and a relay.

use std::net::{IpAddr, SocketAddr};

use p2claw_conformance::coturn::{self, Credentials};

use super::World;
use crate::{
    authority::{PARENT, RELAY_NAME},
    internet::{OTHER, RELAY, Relay, SERVICES},
    program::{Program, until},
};

/// Ports.
const COORD: u16 = 8788;
const TURN: u16 = 3478;
const TURN_OTHER: u16 = 3479;
const TURN_TLS: u16 = 5349;

impl World {
    pub(super) fn start_services(&mut self, relay: Relay) {
        let secret = self.folder.path().join("secret");
        std::fs::write(&secret, coturn::SECRET).unwrap();
        let secret = format!("--relay-secret-file={}", secret.display());
        let middle = &self.internet.middle;
        let (relay, plain) = match relay {
            Relay::Coturn => (self.start_coturn(), TURN),
            // It has one port for everything.
            Relay::Own => (self.start_relay(), TURN_TLS),
        };

        let mut command = self.p2claw(middle);
        command
            .args(["coord", "--json", "--listen", &format!("[::]:{COORD}")])
            .arg(format!("--public-url=https://{PARENT}"))
            .arg(secret)
            .arg(format!("--stun=stun:{RELAY_NAME}:{plain}"))
            .arg(format!("--relay=turn:{RELAY_NAME}:{plain}?transport=udp"))
            .arg(format!("--relay=turn:{RELAY_NAME}:{plain}?transport=tcp"))
            .arg(format!("--relay=turns:{RELAY_NAME}:{TURN_TLS}"));
        for address in SERVICES {
            command.arg(format!("--domain={}", SocketAddr::new(address, COORD)));
        }
        let coord = Program::start("coord", &mut command);

        let mut command = self.p2claw(middle);
        command
            .args(["edge", "--json", "--listen=[::]:443", "--parent", PARENT])
            .arg(format!("--coord=http://127.0.0.1:{COORD}"))
            .args(self.authority.arguments());
        let edge = Program::start("edge", &mut command);

        coord.json();
        edge.json();
        self.wait_for_relay();
        self.programs.extend([relay, coord, edge]);
    }

    fn start_coturn(&self) -> Program {
        let [v4, v6] = RELAY;
        let config = coturn::Config {
            folder: self.folder.path(),
            addresses: &[v4, OTHER, v6],
            relays: &RELAY,
            port: TURN,
            other_port: TURN_OTHER,
            tls_port: TURN_TLS,
            credentials: Credentials::TimeLimited,
            certificate: &self.authority.certificate,
            key: &self.authority.key,
        };
        let mut command = self.internet.middle.command("turnserver");
        Program::start("coturn", command.arg("-c").arg(config.write()))
    }

    fn start_relay(&self) -> Program {
        let [address, _] = RELAY;
        let mut command = self.p2claw(&self.internet.middle);
        command
            .args(["relay", "--json", "--allow-private-peers"])
            .arg(format!("--listen={}", SocketAddr::new(address, TURN_TLS)))
            .arg("--secret-file")
            .arg(self.folder.path().join("secret"))
            .args(self.authority.arguments());
        Program::start("relay", &mut command)
    }

    /// coturn says nothing when it is ready.
    fn wait_for_relay(&self) {
        let [address, _] = RELAY;
        let wanted = SocketAddr::new(address, TURN_TLS).to_string();
        let middle = &self.internet.middle;
        until("the relay to listen", || {
            let listening = middle.run("ss", &["-Hltn"]);
            listening.contains(&wanted).then_some(())
        });
    }
}

/// Where agents find coord.
pub(super) fn coord(address: IpAddr) -> String {
    format!("http://{}", SocketAddr::new(address, COORD))
}
