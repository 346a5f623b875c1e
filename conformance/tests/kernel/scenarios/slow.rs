//! A long line that loses packets.

use std::time::Duration;

use crate::{
    internet::{Home, Middle},
    outcome::{Visitor, Way},
    router::Nat,
    scenarios::Scenario,
    stage::{Stage, Transfer},
    world::Stack,
};

const NAME: &str = "slow";

const BYTES: u32 = 5_000_000;

/// 40 ms more for each round trip.
const EACH_WAY: Duration = Duration::from_millis(20);

/// Of the UDP packets, each way.
const LOSS_PERCENT: u8 = 1;

pub(super) fn scenarios() -> Vec<Scenario> {
    Scenario::matrix(NAME, true, download)
}

fn download(stack: Stack, visitor: Visitor) {
    let middle = Middle {
        loss_percent: LOSS_PERCENT,
        ..Middle::default()
    };
    let cone = Home::behind(Nat::Cone);
    let stage = Stage::set(middle, cone, cone.delay(EACH_WAY), stack);
    let seen = stage
        .visit(visitor, Transfer::Download(BYTES), Way::Direct)
        .finish();
    stage.note(NAME, visitor, &seen, "1% of packets lost");
}
