//! An agent with its app, a visitor, and what passes between them.

use crate::{
    browser::Page,
    internet::{Home, HostId, Middle, RouterId},
    native::Fetch,
    noise,
    outcome::{self, Seen, Tried, Visitor, Way},
    program::until,
    world::{App, Stack, World},
};

/// Two homes on an internet, and an app in one of them.
pub(crate) struct Stage {
    pub(crate) world: World,
    app: App,
    stack: Stack,
    pub(crate) agent: (HostId, RouterId),
    pub(crate) visitor: (HostId, RouterId),
}

impl Stage {
    pub(crate) fn set(middle: Middle, agent: Home, visitor: Home, stack: Stack) -> Self {
        let mut world = World::new(middle);
        let agent = world.internet.settle(agent);
        let visitor = world.internet.settle(visitor);
        let app = world.expose(agent, stack);
        world.introduce(visitor, &app);
        Self {
            world,
            app,
            stack,
            agent,
            visitor,
        }
    }

    /// Begins a transfer, which is to go that way.
    pub(crate) fn visit(&self, visitor: Visitor, transfer: Transfer, way: Way) -> Visit {
        let (host, _) = self.visitor;
        let visiting = match (visitor, transfer) {
            (Visitor::Native(stack), _) => {
                let fetch = Fetch::start(&self.world, host, &self.app, stack, transfer);
                Visiting::Native(fetch)
            }
            (Visitor::Chromium, Transfer::Download(bytes)) => {
                Visiting::Browser(Page::open(&self.world, host, &self.app, bytes, way))
            }
            (Visitor::Chromium, Transfer::Upload(_)) => panic!("the page only downloads"),
        };
        Visit {
            visiting,
            transfer,
            way,
        }
    }

    /// Waits until so many bytes have come to the visitor.
    pub(crate) fn under_way(&self, bytes: u64) {
        let (host, router) = self.visitor;
        until("the transfer to get going", || {
            (self.world.internet.received(host, router) > bytes).then_some(())
        });
    }

    /// Notes what a visitor has seen here, and what else is special.
    pub(crate) fn note(
        &self,
        scenario: &'static str,
        visitor: Visitor,
        seen: &Seen,
        besides: &'static str,
    ) {
        let network = |(_, router)| self.world.internet.home(router).to_string();
        let tried = Tried {
            scenario,
            agent_network: network(self.agent),
            visitor_network: network(self.visitor),
            agent: self.stack,
            visitor,
            besides,
        };
        outcome::note(&tried, seen);
    }
}

/// What a visitor does at the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// So many bytes from it.
    Download(u32),
    /// So many bytes to it; native visitors only.
    Upload(u32),
}

/// A transfer that is under way.
pub(crate) struct Visit {
    visiting: Visiting,
    transfer: Transfer,
    way: Way,
}

enum Visiting {
    Native(Fetch),
    Browser(Page),
}

impl Visit {
    /// Waits for the end: every byte must have come, and the way that was expected.
    pub(crate) fn finish(self) -> Seen {
        let seen = match self.visiting {
            Visiting::Native(fetch) => fetch.finish(self.way),
            Visiting::Browser(page) => page.finish(),
        };
        let (Transfer::Download(bytes) | Transfer::Upload(bytes)) = self.transfer;
        assert_eq!(
            seen.sha256,
            noise::sha256(bytes),
            "the bytes are not those that were sent"
        );
        assert_eq!(seen.way, self.way);
        seen
    }
}
