//! What is tried.

pub(crate) mod leftovers;
mod moves;
mod paths;
mod routers;
mod sizes;
mod slow;

use crate::{outcome::Visitor, world::Stack};

/// One of them.
pub(crate) struct Scenario {
    name: String,
    visitor: Option<Visitor>,
    body: Box<dyn FnOnce() + Send>,
}

impl Scenario {
    /// One that needs no visitor.
    fn new(name: &str, body: impl FnOnce() + Send + 'static) -> Self {
        Self {
            name: name.to_owned(),
            visitor: None,
            body: Box::new(body),
        }
    }

    /// One for each stack of the agent, with a native visitor of the same stack and, where it is
    /// wanted, with a browser.
    fn matrix(
        name: &'static str,
        browser: bool,
        body: impl Fn(Stack, Visitor) + Clone + Send + 'static,
    ) -> Vec<Self> {
        let mut scenarios = Vec::new();
        for stack in Stack::ALL {
            let chromium = browser.then_some(Visitor::Chromium);
            for visitor in [Some(Visitor::Native(stack)), chromium]
                .into_iter()
                .flatten()
            {
                let body = body.clone();
                scenarios.push(Self {
                    name: format!("{name}/{}/{}", stack.name(), visitor.name()),
                    visitor: Some(visitor),
                    body: Box::new(move || body(stack, visitor)),
                });
            }
        }
        scenarios
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its outcome is noted.
    pub(crate) fn is_visit(&self) -> bool {
        self.visitor.is_some()
    }

    pub(crate) fn needs_browser(&self) -> bool {
        self.visitor == Some(Visitor::Chromium)
    }

    pub(crate) fn run(self) {
        (self.body)();
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = leftovers::scenarios();
    all.extend(routers::scenarios());
    all.extend(paths::scenarios());
    all.extend(sizes::scenarios());
    all.extend(slow::scenarios());
    all.extend(moves::scenarios());
    all
}
