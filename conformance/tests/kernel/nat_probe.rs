//! How a router treats UDP, seen from a host behind it, in the terms of RFC 4787.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use crate::{
    internet::{HostId, Internet, RELAY, SERVICES, part},
    program::Program,
};

/// Roles on the command line.
pub(crate) const ASKING: &str = "ask";
pub(crate) const ANSWERING: &str = "answer";

/// Ports of the servers.
const PORTS: [u16; 2] = [7001, 7002];

/// How long an answer that may not come is waited for, and how often a question is repeated.
const ANSWER: Duration = Duration::from_millis(200);
const REPEATS: u32 = 5;

/// What a behaviour depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depends {
    /// "Endpoint-independent".
    OnNothing,
    /// "Address-dependent".
    OnAddress,
    /// "Address and port-dependent".
    OnAddressAndPort,
    /// No UDP passes.
    Blocked,
}

/// Both behaviours of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behaviour {
    pub(crate) mapping: Depends,
    pub(crate) filtering: Depends,
}

/// Looks at the router of a host.
pub(crate) fn look(internet: &Internet, host: HostId) -> Behaviour {
    let server = Program::start(ANSWERING, &mut part(&internet.middle, &[ANSWERING]));
    assert_eq!(server.line().as_deref(), Some("ready"));
    let mut client = Program::start(ASKING, &mut internet.part(host, &[ASKING]));
    let (status, said) = client.finish();
    assert!(status.success(), "{}", client.last_words());
    let mut words = said.split_whitespace().map(|word| match word {
        "nothing" => Depends::OnNothing,
        "address" => Depends::OnAddress,
        "port" => Depends::OnAddressAndPort,
        "blocked" => Depends::Blocked,
        other => panic!("what is {other}?"),
    });
    Behaviour {
        mapping: words.next().unwrap(),
        filtering: words.next().unwrap(),
    }
}

/// Two addresses with two ports each: `[address][port]`.
fn servers() -> [[SocketAddr; 2]; 2] {
    [SERVICES, RELAY].map(|addresses| PORTS.map(|port| SocketAddr::new(addresses[0], port)))
}

/// The servers. A datagram is answered with the address that it came from, by the server with the
/// number in its first byte. The question stands before the address: its second byte tells answers
/// to others apart that come late.
pub(crate) fn answer(_words: &[String]) -> io::Result<()> {
    let sockets: Vec<UdpSocket> = servers()
        .iter()
        .flatten()
        .map(UdpSocket::bind)
        .collect::<io::Result<_>>()?;
    println!("ready");
    std::thread::scope(|scope| {
        for socket in &sockets {
            scope.spawn(|| {
                let mut question = [0; 2];
                while let Ok((_, source)) = socket.recv_from(&mut question) {
                    if let Some(answering) = sockets.get(usize::from(question[0])) {
                        let answer = [&question, source.to_string().as_bytes()].concat();
                        // Lost, as on a network.
                        let _ = answering.send_to(&answer, source);
                    }
                }
            });
        }
    });
    Ok(())
}

/// The client: says what mapping and filtering depend on.
pub(crate) fn ask(_words: &[String]) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(ANSWER))?;
    let [[first, other_port], [other_address, _]] = servers();
    // Filtering before mapping: the client must not have sent to those who answer.
    let filtering = if question(&socket, first, [0, 0])?.is_none() {
        "blocked"
    } else if question(&socket, first, [2, 1])?.is_some() {
        "nothing"
    } else if question(&socket, first, [1, 2])?.is_some() {
        "address"
    } else {
        "port"
    };
    let seen = question(&socket, first, [0, 3])?;
    let mapping = if seen.is_none() {
        "blocked"
    } else if seen == question(&socket, other_address, [2, 4])? {
        "nothing"
    } else if seen == question(&socket, other_port, [1, 5])? {
        "address"
    } else {
        "port"
    };
    println!("{mapping} {filtering}");
    Ok(())
}

/// What a server sees of this client, when the server that the first byte of `question` names says
/// so.
fn question(socket: &UdpSocket, to: SocketAddr, question: [u8; 2]) -> io::Result<Option<Vec<u8>>> {
    let mut answer = [0; 64];
    for _ in 0..REPEATS {
        socket.send_to(&question, to)?;
        loop {
            match socket.recv(&mut answer) {
                Ok(length) if answer[..length].starts_with(&question) => {
                    return Ok(Some(answer[question.len()..length].to_vec()));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(None)
}
