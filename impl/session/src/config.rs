use std::time::Duration;

use p2claw_proto::v1 as proto;

use crate::frame::grease;
use crate::limits::{
    FRAME_DEFAULT, FRAME_MAX, KEEP_ALIVE, LANES_MAX, REASON_MAX, REQUEST_WINDOW, RESPONSE_WINDOW,
    SEND_BUFFER, SEND_BUFFER_MAX, SESSION_CREDIT_DEFAULT, SESSION_WINDOW, SOFTWARE_MAX,
    STREAM_CREDIT_DEFAULT, STREAMS_DEFAULT, STREAMS_MAX, WINDOW_MAX,
};
use crate::registry::setting;
use crate::session::reason_cut;
use crate::{ErrorCode, Role, SessionError};

/// The seed of grease where nobody chose one.
const GREASE_SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The version of the protocol that this crate speaks.
pub(crate) const VERSION: u32 = 1;

/// What one end offers and how much it keeps; see [`crate::limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of the longest frame that this end takes: 16,384 to 65,536.
    pub max_frame: usize,
    /// Body bytes of one stream that may wait for the application: 65,536 or more.
    pub stream_credit: u64,
    /// Body bytes of all streams that may wait for the application: 262,144 or more.
    pub session_credit: u64,
    /// Streams that may be open at the same time: 100 to 4,096. On the visitor, its own bound.
    pub max_streams: u64,
    /// Lanes that this end has: 1 to 16.
    pub lanes: u8,
    /// Content encodings that this end decodes, a bit mask: 1 gzip, 2 deflate.
    pub encodings: u64,
    /// Name and version of the program, for people who read logs.
    pub software: String,
    /// Body bytes per stream that [`crate::Session::write`] takes ahead of the lane.
    pub send_buffer: usize,
    /// Silence before a PING.
    pub keep_alive: Duration,
    /// Send values that stand for nothing, chosen by this seed, so that peers keep ignoring them
    /// (SES-091). Give each session another one where there is a source of random bits, which this
    /// crate has not; `None` sends none.
    pub grease_seed: Option<u64>,
}

/// A value of [`Config`] outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` is out of range: {value} is not within {min} to {max}")]
pub struct ConfigError {
    /// Name of the value.
    pub setting: &'static str,
    /// The value.
    pub value: u64,
    /// Lowest one allowed.
    pub min: u64,
    /// Highest one allowed.
    pub max: u64,
}

impl Default for Config {
    /// Windows for whoever downloads; see [`Config::for_role`].
    fn default() -> Self {
        Self {
            max_frame: FRAME_DEFAULT,
            stream_credit: RESPONSE_WINDOW,
            session_credit: SESSION_WINDOW,
            max_streams: STREAMS_DEFAULT,
            lanes: 4,
            encodings: 0,
            software: concat!("p2claw/", env!("CARGO_PKG_VERSION")).to_owned(),
            send_buffer: SEND_BUFFER,
            keep_alive: KEEP_ALIVE,
            grease_seed: Some(GREASE_SEED),
        }
    }
}

impl Config {
    /// The defaults for one role: an agent takes less of each request than a visitor of each response.
    pub fn for_role(role: Role) -> Self {
        let stream_credit = match role {
            Role::Visitor => RESPONSE_WINDOW,
            Role::Agent => REQUEST_WINDOW,
        };
        Self {
            stream_credit,
            session_credit: STREAMS_DEFAULT * stream_credit,
            ..Self::default()
        }
    }

    /// Says which value is out of range, if one is.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let clamped = self.clone().clamped();
        for ((setting, value, min, max), (_, inside, _, _)) in
            self.ranges().into_iter().zip(clamped.ranges())
        {
            if value != inside {
                return Err(ConfigError {
                    setting,
                    value,
                    min,
                    max,
                });
            }
        }
        Ok(())
    }

    /// The same with every value moved into its range.
    pub(crate) fn clamped(mut self) -> Self {
        self.max_frame = self.max_frame.clamp(FRAME_DEFAULT, FRAME_MAX);
        self.stream_credit = self.stream_credit.clamp(STREAM_CREDIT_DEFAULT, WINDOW_MAX);
        self.session_credit = self
            .session_credit
            .clamp(SESSION_CREDIT_DEFAULT, WINDOW_MAX);
        self.max_streams = self.max_streams.clamp(STREAMS_DEFAULT, STREAMS_MAX);
        self.lanes = self.lanes.clamp(1, LANES_MAX);
        self.send_buffer = self.send_buffer.clamp(1, SEND_BUFFER_MAX);
        self.keep_alive = self.keep_alive.max(Duration::from_millis(1));
        self
    }

    fn ranges(&self) -> [(&'static str, u64, u64, u64); 7] {
        let millis = u64::try_from(self.keep_alive.as_millis()).unwrap_or(u64::MAX);
        [
            (
                "max_frame",
                self.max_frame as u64,
                FRAME_DEFAULT as u64,
                FRAME_MAX as u64,
            ),
            (
                "stream_credit",
                self.stream_credit,
                STREAM_CREDIT_DEFAULT,
                WINDOW_MAX,
            ),
            (
                "session_credit",
                self.session_credit,
                SESSION_CREDIT_DEFAULT,
                WINDOW_MAX,
            ),
            (
                "max_streams",
                self.max_streams,
                STREAMS_DEFAULT,
                STREAMS_MAX,
            ),
            ("lanes", self.lanes.into(), 1, LANES_MAX.into()),
            (
                "send_buffer",
                self.send_buffer as u64,
                1,
                SEND_BUFFER_MAX as u64,
            ),
            ("keep_alive", millis, 1, u64::MAX),
        ]
    }

    /// The first frame; settings at their default are left out.
    pub(crate) fn hello(&self, role: Role) -> proto::SessionHello {
        let mut settings = Vec::new();
        let mut set = |id, value, default| {
            if value != default {
                settings.push(proto::Setting { id, value });
            }
        };
        set(
            setting::max_frame::ID,
            self.max_frame as u64,
            FRAME_DEFAULT as u64,
        );
        set(
            setting::initial_stream_credit::ID,
            self.stream_credit,
            STREAM_CREDIT_DEFAULT,
        );
        set(
            setting::initial_session_credit::ID,
            self.session_credit,
            SESSION_CREDIT_DEFAULT,
        );
        if role == Role::Agent {
            set(setting::max_streams::ID, self.max_streams, STREAMS_DEFAULT);
        }
        set(setting::lanes::ID, self.lanes.into(), 1);
        set(setting::encodings::ID, self.encodings, 0);
        if let Some(seed) = self.grease_seed {
            let mut grease_values = Grease(seed);
            settings.push(proto::Setting {
                id: grease(grease_values.small()),
                value: grease_values.small().into(),
            });
        }
        let mut software = self.software.clone();
        reason_cut(&mut software, SOFTWARE_MAX);
        proto::SessionHello {
            versions: vec![VERSION],
            settings,
            software,
        }
    }
}

/// What the peer's HELLO says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// The version that both ends speak.
    pub version: u32,
    /// Bytes of the longest frame that the peer takes.
    pub max_frame: usize,
    /// Body bytes that each stream may carry to the peer before a CREDIT.
    pub initial_stream_credit: u64,
    /// Body bytes that the session may carry to the peer before a CREDIT.
    pub initial_session_credit: u64,
    /// Streams that the peer allows at the same time.
    pub max_streams: u64,
    /// Lanes that the peer has.
    pub lanes: u8,
    /// Content encodings that the peer decodes, a bit mask: 1 gzip, 2 deflate.
    pub encodings: u64,
    /// Name and version of the peer's program; anything may stand here.
    pub software: String,
}

impl PeerSettings {
    pub(crate) fn from_hello(hello: proto::SessionHello) -> Result<Self, SessionError> {
        // SES-007
        if !hello.versions.contains(&VERSION) {
            return Err(SessionError::own(
                ErrorCode::VERSION,
                format!(
                    "no common version: the peer speaks {:?}",
                    first_few(&hello.versions)
                ),
            ));
        }
        let mut settings = Self {
            version: VERSION,
            max_frame: FRAME_DEFAULT,
            initial_stream_credit: STREAM_CREDIT_DEFAULT,
            initial_session_credit: SESSION_CREDIT_DEFAULT,
            max_streams: STREAMS_DEFAULT,
            lanes: 1,
            encodings: 0,
            software: hello.software,
        };
        reason_cut(&mut settings.software, SOFTWARE_MAX);
        // SES-008
        for proto::Setting { id, value } in hello.settings {
            let known = match id {
                setting::max_frame::ID => usize::try_from(value)
                    .ok()
                    .filter(|value| (FRAME_DEFAULT..=FRAME_MAX).contains(value))
                    .map(|value| settings.max_frame = value),
                setting::initial_stream_credit::ID => {
                    (value >= STREAM_CREDIT_DEFAULT).then(|| settings.initial_stream_credit = value)
                }
                setting::initial_session_credit::ID => (value >= SESSION_CREDIT_DEFAULT)
                    .then(|| settings.initial_session_credit = value),
                setting::max_streams::ID => {
                    (value >= STREAMS_DEFAULT).then(|| settings.max_streams = value)
                }
                setting::lanes::ID => u8::try_from(value)
                    .ok()
                    .filter(|value| (1..=LANES_MAX).contains(value))
                    .map(|value| settings.lanes = value),
                setting::encodings::ID => {
                    settings.encodings = value;
                    Some(())
                }
                _ => Some(()),
            };
            if known.is_none() {
                return Err(SessionError::own(
                    ErrorCode::PROTOCOL,
                    format!("setting {id:#x} is out of range: {value}"),
                ));
            }
        }
        Ok(settings)
    }
}

fn first_few(versions: &[u32]) -> &[u32] {
    versions.get(..8).unwrap_or(versions)
}

const _: () = assert!(SOFTWARE_MAX <= REASON_MAX);

/// Numbers for grease from a seed (splitmix64), so that a run can be repeated.
pub(crate) struct Grease(pub(crate) u64);

impl Grease {
    pub(crate) fn small(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::from(u16::try_from((z ^ (z >> 31)) >> 48).unwrap_or(0))
    }
}
