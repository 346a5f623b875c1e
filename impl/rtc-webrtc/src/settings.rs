//! What rtc is told before it begins.

use std::{sync::Arc, time::Duration};

use p2claw_session::limits::FRAME_MAX;
use rtc::{
    crypto::providers::AwsLcRsProvider,
    dtls::cipher_suite::CipherSuiteId,
    ice::{mdns::MulticastDnsMode, network_type::NetworkType},
    peer_connection::{
        configuration::setting_engine::{SctpMaxMessageSize, SettingEngine, SettingEngineBuilder},
        transport::RTCDtlsRole,
    },
};

use crate::checks;

/// Checks of one pair before it is given up. At the pace of [`checks::Checks`] that is more than
/// a minute, longer than any visit waits (`SIG-017`).
const CHECKS_PER_PAIR: u16 = 200;

/// Silence of the path before it counts as lost: two consent checks, and a little.
pub(crate) const DISCONNECTED: Duration = Duration::from_secs(5);

/// The session decides when a lost path ends it (`SES-063`), not the stack. Zero is never.
const FAILED: Duration = Duration::ZERO;

/// Between two checks of a path that works. RFC 7675 section 5.1 asks for 5 s; a lost path is
/// noticed sooner this way.
const CONSENT: Duration = Duration::from_secs(2);

/// Bytes of SCTP that the other end may have under way to here. It is above what a session lets
/// in at once, so that the session's credit is what slows a sender down.
const RECEIVE_WINDOW: u32 = 2 << 20;

/// The path that every packet fits: a little below IPv6's least MTU of 1280 bytes (RFC 8200
/// section 5), for tunnels.
const PATH_MTU: u32 = 1200;

/// IPv6 and UDP, TURN's channel data (RFC 8656 section 12.4), and a DTLS 1.2 record with
/// AES-GCM: header, nonce and tag (RFC 5288 section 3).
const HEADERS: u32 = 40 + 8 + 4 + 13 + 8 + 16;

/// Bytes of an SCTP packet.
pub(crate) const SCTP_MTU: u32 = PATH_MTU - HEADERS;

/// Of all peers.
pub(crate) fn settings() -> SettingEngine {
    // Fits: a compile-time constant of 65,536. rtc reserves that much for each peer, so it is
    // no more than sessions may agree on (RTC-007).
    let longest = u32::try_from(FRAME_MAX).unwrap_or(u32::MAX);
    SettingEngineBuilder::new()
        .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
        // No CBC: its records are longer, and nobody needs it.
        .with_dtls_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
        ])
        // RTC-010: `a=setup:passive`.
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_network_types(vec![NetworkType::Udp4, NetworkType::Udp6])
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(CONSENT))
        .with_ice_connection_attempts(Some(checks::ROUND_MIN), Some(CHECKS_PER_PAIR))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        // RTC-022: a direct pair that answers later is moved to (`crate::renomination`).
        .with_relay_acceptance_min_wait(Some(Duration::ZERO))
        // An address that is gone must not come back with a restart.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(longest))
        .with_sctp_max_receive_buffer_size(RECEIVE_WINDOW)
        .with_sctp_mtu(SCTP_MTU)
        .build()
}
