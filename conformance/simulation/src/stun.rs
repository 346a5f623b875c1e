//! A STUN server with the alternate address and port of RFC 5780.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::task::JoinSet;
use turn_server_proto::types::stun::{
    attribute::{AttributeType, RawAttribute, XorMappedAddress},
    message::{BINDING, Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec},
};

use crate::network::{HostNetwork, Socket};

/// The usual port.
pub const PORT: u16 = 3478;
/// The alternate port.
pub const ALTERNATE_PORT: u16 = 3479;

/// Asks for an answer from elsewhere (RFC 5780 section 7.2).
pub const CHANGE_REQUEST: AttributeType = AttributeType::new(0x0003);
/// Where an answer comes from (section 7.3).
pub const RESPONSE_ORIGIN: AttributeType = AttributeType::new(0x802b);
/// Where an answer to a [`CHANGE_REQUEST`] comes from (section 7.4).
pub const OTHER_ADDRESS: AttributeType = AttributeType::new(0x802c);

/// Bit of [`CHANGE_REQUEST`]: from the other address.
pub const CHANGE_IP: u32 = 4;
/// Bit of [`CHANGE_REQUEST`]: from the other port.
pub const CHANGE_PORT: u32 = 2;

/// Serves on both ports of two addresses of the host.
///
/// # Errors
/// When one of the sockets cannot be had. Otherwise it does not return.
pub async fn serve(network: HostNetwork, addresses: [IpAddr; 2]) -> io::Result<()> {
    let bind = |ip, port| network.bind(SocketAddr::new(ip, port));
    let [usual, other] = addresses;
    // By CHANGE_IP, then by CHANGE_PORT.
    let sockets = Arc::new([
        bind(usual, PORT)?,
        bind(usual, ALTERNATE_PORT)?,
        bind(other, PORT)?,
        bind(other, ALTERNATE_PORT)?,
    ]);
    let mut tasks = JoinSet::new();
    for place in 0..sockets.len() {
        let sockets = Arc::clone(&sockets);
        tasks.spawn(async move {
            loop {
                let arrival = sockets[place].receive().await;
                answer(&sockets, place, arrival.source, &arrival.contents);
            }
        });
    }
    tasks.join_all().await;
    Ok(())
}

fn answer(sockets: &[Socket; 4], place: usize, source: SocketAddr, request: &[u8]) {
    let Ok(request) = Message::from_bytes(request) else {
        return;
    };
    if request.is_response() || !request.has_method(BINDING) {
        return;
    }
    let change = request.raw_attribute(CHANGE_REQUEST).and_then(|attribute| {
        let value: [u8; 4] = attribute.value.as_ref().try_into().ok()?;
        Some(u32::from_be_bytes(value))
    });
    let change = change.unwrap_or(0);
    let bit = |bit: u32, place: usize| if change & bit == 0 { 0 } else { place };
    let from = &sockets[place ^ bit(CHANGE_IP, 2) ^ bit(CHANGE_PORT, 1)];
    let origin = plain(from.local_addr());
    let other = plain(sockets[place ^ 3].local_addr());
    let mapped = XorMappedAddress::new(source, request.transaction_id());
    let mut response = Message::builder_success(&request, MessageWriteVec::new());
    let written = response
        .add_attribute(&mapped)
        .and_then(|()| response.add_attribute(&RawAttribute::new(RESPONSE_ORIGIN, &origin)))
        .and_then(|()| response.add_attribute(&RawAttribute::new(OTHER_ADDRESS, &other)));
    if written.is_ok() {
        // A route back always exists: the request came by it.
        let _ = from.send(source, response.finish());
    }
}

/// The answer to a binding request from `source`; `None` where it is none.
pub(crate) fn binding_success(source: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let request = Message::from_bytes(request).ok()?;
    if request.is_response() || !request.has_method(BINDING) {
        return None;
    }
    let mapped = XorMappedAddress::new(source, request.transaction_id());
    let mut response = Message::builder_success(&request, MessageWriteVec::new());
    response.add_attribute(&mapped).ok()?;
    Some(response.finish())
}

/// An address as MAPPED-ADDRESS has it (RFC 8489 section 14.1).
fn plain(address: SocketAddr) -> Vec<u8> {
    let mut bytes = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    bytes.extend(address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => bytes.extend(ip.octets()),
    }
    bytes
}
