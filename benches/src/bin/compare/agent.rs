//! The agent's end: it answers offers and does what is ordered.

use p2claw_agent::{connection, transport::PeerEvent};
use p2claw_benches::{
    child::Parent,
    raw,
    stack::Stack,
    stage::{Failure, session_config},
    transfer,
};
use p2claw_session::Role;

use crate::order::{Answer, Order, Work};

pub(crate) async fn run(stack: Stack) -> Result<(), Failure> {
    let endpoint = stack.endpoint()?;
    let mut parent = Parent::new();
    while let Some(order) = parent.listen::<Order>().await? {
        let accepted = endpoint.accept(&order.offer).await?;
        let answer = accepted.answer;
        parent.tell(&Answer { answer }).await?;
        let mut peer = accepted.peer;
        tokio::spawn(async move {
            match order.work {
                Work::RawDownload(bytes) => {
                    raw::opened(&mut *peer).await?;
                    raw::send(&mut *peer, bytes).await?;
                }
                Work::RawUpload(bytes) => {
                    raw::receive(&mut *peer, bytes).await?;
                }
                Work::Session => {
                    let config = session_config();
                    let (agent, driver) = connection::connect(Role::Agent, config, peer);
                    tokio::spawn(transfer::serve(agent));
                    driver.await;
                    return Ok(());
                }
            }
            // Until the other end goes: what is sent has to arrive.
            while !matches!(raw::next(&mut *peer).await, PeerEvent::Closed(_)) {}
            Ok::<_, Failure>(())
        });
    }
    Ok(())
}
