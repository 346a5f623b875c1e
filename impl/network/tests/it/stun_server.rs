//! A STUN server with two addresses and two ports (RFC 5780), which can leave parts of it out.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use stun_types::{
    attribute::{AttributeType, ErrorCode, MappedSocketAddr, RawAttribute, XorMappedAddress},
    message::{BINDING, Message, MessageClass, MessageWriteVec},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};
use tokio::{net::UdpSocket, task::JoinSet};

const CHANGE_REQUEST: AttributeType = AttributeType::new(0x0003);
const RESPONSE_PORT: AttributeType = AttributeType::new(0x0027);
const RESPONSE_ORIGIN: AttributeType = AttributeType::new(0x802b);
const OTHER_ADDRESS: AttributeType = AttributeType::new(0x802c);

/// What a server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knows {
    /// RFC 8489 only: an attribute of RFC 5780 is refused.
    Binding,
    /// Everything.
    Behaviour,
    /// It names a second address, and answers from the first one all the same.
    OtherAddressOnly,
    /// It names a second address that nobody is at.
    DeadOtherAddress,
}

/// Answers until it is dropped.
pub(crate) struct StunServer {
    /// Where it is asked.
    pub(crate) address: SocketAddr,
    /// Every address that it has.
    pub(crate) addresses: Vec<SocketAddr>,
    _tasks: JoinSet<()>,
}

impl StunServer {
    /// On 127.0.0.`host`, and on 127.0.0.`host + 1` as its second address.
    pub(crate) async fn start(host: u8, knows: Knows) -> Self {
        let ip = |host| Ipv4Addr::new(127, 0, 0, host);
        let bind = async |ip, port| UdpSocket::bind(SocketAddr::from((ip, port))).await;
        // The same two ports at both addresses.
        let (sockets, addresses) = loop {
            let first = bind(ip(host), 0).await.unwrap();
            let second = bind(ip(host), 0).await.unwrap();
            let ports = [&first, &second].map(|socket| socket.local_addr().unwrap().port());
            let others = [
                bind(ip(host + 1), ports[0]).await,
                bind(ip(host + 1), ports[1]).await,
            ];
            if let [Ok(third), Ok(fourth)] = others {
                let sockets = [first, second, third, fourth].map(Arc::new);
                let addresses = sockets
                    .each_ref()
                    .map(|socket| socket.local_addr().unwrap());
                break (sockets, addresses);
            }
        };
        let mut tasks = JoinSet::new();
        for number in 0..sockets.len() {
            if knows == Knows::DeadOtherAddress && number > 0 {
                break;
            }
            let (sockets, addresses) = (sockets.clone(), addresses);
            tasks.spawn(async move {
                let mut buffer = [0; 1500];
                loop {
                    let (length, source) = sockets[number].recv_from(&mut buffer).await.unwrap();
                    let answer = answer(&buffer[..length], source, number, &addresses, knows);
                    if let Some((from, to, answer)) = answer {
                        sockets[from].send_to(&answer, to).await.unwrap();
                    }
                }
            });
        }
        Self {
            address: addresses[0],
            addresses: addresses.to_vec(),
            _tasks: tasks,
        }
    }
}

/// From which socket, to whom, what. Sockets differ in the port by their first bit, and in the
/// address by the second one.
pub(crate) fn answer(
    request: &[u8],
    source: SocketAddr,
    number: usize,
    addresses: &[SocketAddr; 4],
    knows: Knows,
) -> Option<(usize, SocketAddr, Vec<u8>)> {
    let request = Message::from_bytes(request).ok()?;
    if !request.has_class(MessageClass::Request) || !request.has_method(BINDING) {
        return None;
    }
    let change = request.raw_attribute(CHANGE_REQUEST);
    let port = request.raw_attribute(RESPONSE_PORT);
    if knows == Knows::Binding && (change.is_some() || port.is_some()) {
        let mut refusal = Message::builder_error(&request, MessageWriteVec::new());
        let code = ErrorCode::builder(ErrorCode::UNKNOWN_ATTRIBUTE)
            .build()
            .unwrap();
        refusal.add_attribute(&code).unwrap();
        return Some((number, source, refusal.finish()));
    }
    let change = change.map_or(0, |raw| usize::from(raw.value[3]));
    let changed = match knows {
        Knows::OtherAddressOnly => number,
        Knows::Binding | Knows::Behaviour | Knows::DeadOtherAddress => {
            let (address, port) = (change >> 2 & 1, change >> 1 & 1);
            number ^ (address << 1 | port)
        }
    };
    let mut to = source;
    if let Some(port) = port {
        to.set_port(u16::from_be_bytes([port.value[0], port.value[1]]));
    }
    let mut response = Message::builder_success(&request, MessageWriteVec::new());
    let mapped = XorMappedAddress::new(source, request.transaction_id());
    response.add_attribute(&mapped).unwrap();
    if knows != Knows::Binding {
        for (attribute, address) in [
            (RESPONSE_ORIGIN, addresses[changed]),
            (OTHER_ADDRESS, addresses[number ^ 3]),
        ] {
            let address = MappedSocketAddr::new(address);
            let raw: RawAttribute<'_> = address.to_raw(attribute);
            response.add_attribute(&raw).unwrap();
        }
    }
    Some((changed, to, response.finish()))
}
