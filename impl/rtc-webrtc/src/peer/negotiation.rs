//! What descriptions and candidates say, both ways, from the first offer to the last restart.

use p2claw_agent::transport::{CandidateKind, PeerEvent, TransportError};
use p2claw_network::{LocalCandidate, PortEvent};
use rtc::peer_connection::{
    configuration::RTCOfferOptions, sdp::RTCSessionDescription, transport::RTCIceCandidateInit,
};
use tokio::time::Instant;

use crate::{
    description::{self, Credentials, RemoteCandidate, fingerprint},
    endpoint::{of_description, of_stack},
};

use super::{Closing, WebrtcPeer};

/// What an answer is awaited for.
pub(super) enum Pending {
    Nothing,
    First,
    /// rtc does not know of the offer yet: it would give the present pair up with it.
    Restart(Box<RTCSessionDescription>),
}

impl WebrtcPeer {
    /// Makes the user fragment of this end's description known.
    pub(super) fn name(&mut self, local: &str) {
        if let Some(ufrag) = description::attribute(local, "ice-ufrag") {
            self.port.name(ufrag);
            ufrag.clone_into(&mut self.ufrag);
        }
    }

    /// Notes what the other end's description says.
    pub(super) fn learn(&mut self, remote: &str) {
        self.remote_kinds.learn_description(remote);
        if self.remote_fingerprint.is_none() {
            self.remote_fingerprint = fingerprint(remote);
        }
        self.remote_credentials = Credentials::of(remote);
        if let Some(credentials) = &self.remote_credentials {
            self.checks.renomination.sign(&self.ufrag, credentials);
        }
        for candidate in RemoteCandidate::all(remote) {
            self.check(candidate);
        }
    }

    /// Has rtc check an address of the other end.
    pub(super) fn check(&mut self, candidate: RemoteCandidate) {
        if !self.checks.admit(candidate.address) {
            return;
        }
        let init = RTCIceCandidateInit {
            candidate: candidate.line,
            ..RTCIceCandidateInit::default()
        };
        match self.rtc.add_remote_candidate(init) {
            Ok(()) => {
                self.checks.hurry();
                self.dirty = true;
            }
            Err(error) => tracing::debug!(%error, "candidate left aside"),
        }
    }

    /// Gives rtc the addresses to check from. What a STUN server sees of an address is none of
    /// them: checks from it leave from its base (RFC 8445 section 6.1.2.4).
    pub(super) fn use_candidates(&mut self, known: &[LocalCandidate]) {
        self.offered = known.to_vec();
        for (position, candidate) in known.iter().enumerate() {
            self.use_candidate(candidate, position);
        }
    }

    pub(super) fn use_candidate(&mut self, candidate: &LocalCandidate, position: usize) {
        if candidate.kind == CandidateKind::ServerReflexive {
            return;
        }
        let init = RTCIceCandidateInit {
            candidate: description::candidate_line(candidate, position),
            ..RTCIceCandidateInit::default()
        };
        match self.rtc.add_local_candidate(init) {
            Ok(()) => {
                self.checks.hurry();
                self.dirty = true;
            }
            Err(error) => tracing::debug!(%error, "own candidate left aside"),
        }
    }

    /// Offers one more address, and tells the other end while it listens.
    pub(super) fn offer_candidate(&mut self, candidate: LocalCandidate) {
        if self.offered.contains(&candidate) {
            return;
        }
        let position = self.offered.len();
        self.offered.push(candidate);
        self.use_candidate(&candidate, position);
        if !self.gathered {
            let told = description::candidate_line(&candidate, position);
            self.events.push_back(PeerEvent::Candidate(Some(told)));
        }
    }

    pub(super) fn hear(&mut self, news: PortEvent) {
        match news {
            PortEvent::Candidate(candidate) => self.offer_candidate(candidate),
            PortEvent::Complete => {
                if !std::mem::replace(&mut self.gathered, true) {
                    self.events.push_back(PeerEvent::Candidate(None));
                }
            }
            PortEvent::AddressesChanged => {
                let known = self.port.refresh().to_vec();
                // rtc keeps what is gone until the next restart; nothing gets through from it.
                self.offered.retain(|candidate| known.contains(candidate));
                for candidate in known {
                    self.offer_candidate(candidate);
                }
            }
        }
    }

    pub(super) fn offer_restart(&mut self) -> Result<String, TransportError> {
        if self.is_over() {
            return Err(TransportError::Closed);
        }
        if self.remote_fingerprint.is_none() {
            return Err(TransportError::Stack(
                "the first answer has not come yet".to_owned(),
            ));
        }
        let options = RTCOfferOptions { ice_restart: true };
        let offer = self.rtc.create_offer(Some(options)).map_err(of_stack)?;
        self.offered = self.port.refresh().to_vec();
        let sent = description::with_candidates(&offer.sdp, &self.offered);
        self.name(&sent);
        self.pending = Pending::Restart(Box::new(offer));
        self.gathered = false;
        Ok(sent)
    }

    pub(super) fn answer_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        if self.is_over() {
            return Err(TransportError::Closed);
        }
        self.check_restart(offer)?;
        let parsed =
            RTCSessionDescription::offer(description::for_rtc(offer)).map_err(of_description)?;
        let now = Instant::now().into_std();
        self.dirty = true;
        self.rtc
            .set_remote_description(now, parsed)
            .map_err(of_description)?;
        self.begin_again();
        let known = self.port.refresh().to_vec();
        self.use_candidates(&known);
        let answer = self.rtc.create_answer(None).map_err(of_description)?;
        self.rtc
            .set_local_description(now, answer.clone())
            .map_err(of_stack)?;
        let sent = description::with_candidates(&answer.sdp, &known);
        self.name(&sent);
        self.learn(offer);
        self.gathered = false;
        Ok(sent)
    }

    pub(super) fn take_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        let pending = std::mem::replace(&mut self.pending, Pending::Nothing);
        let now = Instant::now().into_std();
        let parsed =
            || RTCSessionDescription::answer(description::for_rtc(answer)).map_err(of_description);
        self.dirty = true;
        match pending {
            Pending::Nothing => {
                return Err(TransportError::BadDescription(
                    "no answer is awaited".to_owned(),
                ));
            }
            Pending::First => {
                description::check(answer)?;
                self.rtc
                    .set_remote_description(now, parsed()?)
                    .map_err(of_description)?;
            }
            Pending::Restart(offer) => {
                self.check_restart(answer)?;
                let parsed = parsed()?;
                self.rtc
                    .set_local_description(now, *offer)
                    .map_err(of_stack)?;
                self.begin_again();
                let known = std::mem::take(&mut self.offered);
                self.use_candidates(&known);
                self.rtc
                    .set_remote_description(now, parsed)
                    .map_err(of_description)?;
            }
        }
        self.learn(answer);
        Ok(())
    }

    /// Whether the other side's description can go on where the first one began.
    pub(super) fn check_restart(&self, remote: &str) -> Result<(), TransportError> {
        description::check(remote)?;
        if fingerprint(remote) != self.remote_fingerprint {
            return Err(TransportError::BadDescription(
                "it names another certificate than the one of this session".to_owned(),
            ));
        }
        let credentials = Credentials::of(remote);
        let fault = match credentials {
            None => "it has no user fragment or no password",
            // rtc would go on with its pairs.
            Some(_) if credentials == self.remote_credentials => "it restarts nothing",
            Some(_) => return Ok(()),
        };
        Err(TransportError::BadDescription(fault.to_owned()))
    }

    /// rtc has dropped its pairs.
    pub(super) fn begin_again(&mut self) {
        self.checks.restart();
        self.works = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.closed.is_some() || self.closing != Closing::No
    }
}
