//! What a TURN server's errors mean, with a server that gives nothing but errors.

use std::net::SocketAddr;

use p2claw_network::{
    Machine, Server,
    allocation::{AllocationError, try_out},
};
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{Message, MessageWriteVec},
    prelude::{AttributeStaticType as _, MessageWrite as _, MessageWriteExt as _},
};
use tokio::{net::UdpSocket, task::JoinSet};

/// Challenges who names nobody, twice, as for a request that was sent twice; answers `code` to
/// everybody else.
async fn server(code: u16) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, source) = socket.recv_from(&mut buffer).await.unwrap();
            let request = Message::from_bytes(&buffer[..length]).unwrap();
            let (code, times) = match request.has_attribute(Username::TYPE) {
                false => (ErrorCode::UNAUTHORIZED, 2),
                true => (code, 1),
            };
            let mut answer = Message::builder_error(&request, MessageWriteVec::new());
            let error = ErrorCode::builder(code).build().unwrap();
            answer.add_attribute(&error).unwrap();
            answer
                .add_attribute(&Realm::new("example").unwrap())
                .unwrap();
            answer.add_attribute(&Nonce::new("once").unwrap()).unwrap();
            let answer = answer.finish();
            for _ in 0..times {
                socket.send_to(&answer, source).await.unwrap();
            }
        }
    });
    (address, tasks)
}

async fn tried(code: u16) -> AllocationError {
    let (address, _tasks) = server(code).await;
    let server = Server::parse(&format!("turn:{address}"), "name", "password").unwrap();
    try_out(&Machine, &server, None).await.unwrap_err()
}

/// RFC 8489 section 9.2.4: a challenge is no refusal, however often it comes.
#[tokio::test]
async fn a_refusal_is_an_answer_to_a_credential() {
    for code in [
        ErrorCode::UNAUTHORIZED,
        ErrorCode::WRONG_CREDENTIALS,
        ErrorCode::BAD_REQUEST,
    ] {
        let error = tried(code).await;
        assert!(matches!(error, AllocationError::Refused), "{code}: {error}");
    }
}

/// RFC 8656 section 19
#[tokio::test]
async fn other_errors_keep_their_code() {
    for full in [
        ErrorCode::ALLOCATION_QUOTA_REACHED,
        ErrorCode::INSUFFICIENT_CAPACITY,
        ErrorCode::FORBIDDEN,
    ] {
        let error = tried(full).await;
        assert!(
            matches!(error, AllocationError::Failed { code, .. } if code == full),
            "{full}: {error}"
        );
    }
}
