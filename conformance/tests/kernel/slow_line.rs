//! A line that takes its time: a program between two TUN interfaces. This kernel may have no netem.

use std::{io, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_tun::Tun;

use crate::{internet::part, namespace::Namespace, program::Program};

/// Its role on the command line.
pub(crate) const ROLE: &str = "slow-line";

/// Larger than any packet: TUN interfaces take no offloads.
const PACKET_BYTES: usize = 2048;

/// Packets under way in one direction; more are lost, as on a real line.
const UNDER_WAY: usize = 4096;

/// Starts one between two new interfaces of `namespace`.
pub(crate) fn start(namespace: &Namespace, ends: [&str; 2], delay: Duration) -> Program {
    let delay = delay.as_micros().to_string();
    let mut command = part(namespace, &[ROLE, ends[0], ends[1], &delay]);
    let line = Program::start(ROLE, &mut command);
    assert_eq!(line.line().as_deref(), Some("ready"));
    line
}

/// The program itself.
pub(crate) fn run(words: &[String]) -> io::Result<()> {
    let [near, far, delay] = words else {
        return Err(io::Error::other("usage: NEAR FAR MICROSECONDS"));
    };
    let delay = delay.parse().map_err(io::Error::other)?;
    let delay = Duration::from_micros(delay);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (near, far) = (end(near)?, end(far)?);
        println!("ready");
        tokio::try_join!(carry(&near, &far, delay), carry(&far, &near, delay))?;
        Ok(())
    })
}

/// Everything from one end to the other, in order.
async fn carry(from: &Tun, to: &Tun, delay: Duration) -> io::Result<()> {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let entering = async {
        let mut packet = vec![0; PACKET_BYTES];
        loop {
            let length = from.recv(&mut packet).await?;
            let _ = sender.try_send((Instant::now() + delay, packet[..length].to_vec()));
        }
        #[expect(unreachable_code, reason = "it names the type of the errors above")]
        Ok::<(), io::Error>(())
    };
    let leaving = async {
        while let Some((due, packet)) = under_way.recv().await {
            sleep_until(due).await;
            // An interface that is down loses it.
            let _ = to.send(&packet).await;
        }
        Ok::<_, io::Error>(())
    };
    tokio::try_join!(entering, leaving).map(|((), ())| ())
}

fn end(name: &str) -> io::Result<Tun> {
    let built = Tun::builder().name(name).build();
    let ends = built.map_err(|error| io::Error::other(format!("make {name}: {error}")))?;
    let mut ends = ends.into_iter();
    ends.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}
