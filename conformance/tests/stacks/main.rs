//! Every WebRTC stack as agent, with every one as visitor: from outside there is nothing to tell
//! them apart by. One list of tests, run for each pair.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the variants that it is about"
)]

mod descriptions;
mod ends;
mod goodbyes;
mod known;
mod messages;
mod moving;
mod relays;
mod restarts;
mod sessions;
mod stranger;
mod websockets;

use std::{sync::Arc, time::Duration};

use p2claw_agent::transport::{LANES, PeerTransport};
use p2claw_network::{Hub, HubConfig, Machine, Network};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A WebRTC stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Str0m,
    Webrtc,
}

impl Stack {
    /// An endpoint on this machine.
    fn endpoint(self) -> Box<dyn PeerTransport> {
        self.on(Arc::new(Machine), HubConfig::default())
    }

    /// An endpoint on another network; always with loopback addresses.
    fn on(self, network: Arc<dyn Network>, config: HubConfig) -> Box<dyn PeerTransport> {
        let config = HubConfig {
            loopback: true,
            ..config
        };
        let hub = Hub::bind_on(network, config).unwrap();
        match self {
            Self::Str0m => Box::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES)),
            Self::Webrtc => Box::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES)),
        }
    }
}

macro_rules! pairs {
    ($($name:ident: $visitor:ident, $agent:ident;)*) => {$(
        mod $name {
            use crate::Stack;

            pairs!(@tests $visitor, $agent:
                descriptions::restarts_keep_the_certificate
                goodbyes::closing_waits_for_the_last_message
                goodbyes::closing_twice_waits_for_nobody
                goodbyes::a_peer_that_goes_says_so
                messages::the_first_message_arrives
                messages::a_full_stack_takes_more_once_it_has_room
                relays::a_direct_path_takes_over_behind_a_restart
                relays::a_direct_path_takes_over_from_a_relay
                relays::a_relay_that_is_named_late_is_known_as_one
                relays::a_relayed_path_is_known_as_one
                relays::candidates_are_told_as_they_come
                relays::candidates_of_a_restart_are_its_own
                restarts::a_bad_path_costs_time_only
                restarts::a_restart_loses_nothing
                restarts::a_restart_that_is_never_answered_is_forgotten
                restarts::another_certificate_never_takes_over
                restarts::a_move_to_another_address_is_survived
                restarts::a_lost_path_is_told_and_a_restart_brings_it_back
                sessions::requests_and_large_bodies_arrive_whole
                sessions::a_reader_that_waits_stalls_its_own_stream_only
                sessions::a_body_that_is_given_up_is_an_error_at_the_other_end
                sessions::closing_one_end_ends_the_other_and_wakes_who_waits
                sessions::finishing_waits_for_the_last_byte
                sessions::a_visitor_that_vanishes_is_noticed_by_whoever_writes
                sessions::a_wrong_certificate_never_connects
                descriptions::an_end_may_set_no_limit_to_messages
                websockets::messages_of_every_kind_arrive_whole
            );
        }
    )*};
    (@tests $visitor:ident, $agent:ident: $($module:ident::$test:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            crate::$module::$test(Stack::$visitor, Stack::$agent).await;
        }
    )*};
}

pairs! {
    str0m_visits_str0m: Str0m, Str0m;
    str0m_visits_webrtc: Str0m, Webrtc;
    webrtc_visits_str0m: Webrtc, Str0m;
    webrtc_visits_webrtc: Webrtc, Webrtc;
}

/// RTC-024. All pairs at a time, for it takes half a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_who_is_gone() {
    let both = [Stack::Str0m, Stack::Webrtc];
    let pairs = both.map(|visitor| both.map(|agent| (visitor, agent)));
    let pairs = pairs.into_iter().flatten();
    let work =
        pairs.map(|(visitor, agent)| sessions::nothing_is_sent_to_who_is_gone(visitor, agent));
    futures_util::future::join_all(work).await;
}

macro_rules! agents {
    ($($name:ident: $agent:ident;)*) => {$(
        mod $name {
            use crate::Stack;

            agents!(@tests $agent:
                descriptions::an_offer_is_for_data_channels_only
                descriptions::descriptions_allow_the_longest_frame
                descriptions::descriptions_ask_for_quick_checks
                descriptions::every_session_has_a_certificate_of_its_own
                descriptions::an_answer_is_passive_and_has_candidates
                descriptions::rubbish_is_refused_and_costs_nothing
                descriptions::candidates_that_nobody_can_read_harm_nothing
                messages::an_empty_message_arrives_as_one
                messages::the_stack_takes_256_kib_and_no_more
                stranger::dtls_1_2_will_do
                stranger::dtls_1_3_will_do
                stranger::lanes_are_there_without_being_opened
                stranger::channels_that_are_opened_in_band_are_ignored
                stranger::a_lane_that_closes_ends_the_session
                stranger::the_end_of_the_association_cuts_bodies_off
                stranger::text_ends_the_session
                stranger::a_visitor_without_candidates_is_found
                stranger::another_certificate_never_gets_a_lane
                stranger::packets_fit_a_path_of_1200_bytes
            );
        }
    )*};
    (@tests $agent:ident: $($module:ident::$test:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            crate::$module::$test(Stack::$agent).await;
        }
    )*};
}

agents! {
    str0m_alone: Str0m;
    webrtc_alone: Webrtc;
}
