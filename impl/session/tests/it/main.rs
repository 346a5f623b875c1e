//! Two sessions in memory, with their own clock.

#[cfg(test)]
mod peer;

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod going_away;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod liveness;
#[cfg(test)]
mod network;
#[cfg(test)]
mod property;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod websocket;
#[cfg(test)]
mod websocket_model;
