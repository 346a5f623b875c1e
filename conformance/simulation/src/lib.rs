//! A small internet under a virtual clock: NAT boxes, lines, and the real p2claw programs on its
//! hosts.

pub mod app;
pub mod clock;
mod dtls;
pub mod http1;
mod inbox;
pub mod internet;
pub mod line;
pub mod logs;
pub mod nat;
pub mod network;
pub mod pairs;
pub mod reference;
pub mod relay;
pub mod side;
pub mod simulation;
pub mod stun;
pub mod tap;
pub mod theory;
pub mod trace;
pub mod visitor;
pub mod world;
