//! What is tried.

mod paths;
mod routers;

use crate::outcome::Visitor;

/// One of them.
pub(crate) struct Scenario {
    name: String,
    browser: bool,
    body: Box<dyn FnOnce() + Send>,
}

impl Scenario {
    fn new(name: impl Into<String>, body: impl FnOnce() + Send + 'static) -> Self {
        Self {
            name: name.into(),
            browser: false,
            body: Box::new(body),
        }
    }

    fn of_visitor(name: String, visitor: Visitor, body: impl FnOnce() + Send + 'static) -> Self {
        Self {
            browser: visitor == Visitor::Chromium,
            ..Self::new(name, body)
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn needs_browser(&self) -> bool {
        self.browser
    }

    pub(crate) fn run(self) {
        (self.body)();
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = routers::scenarios();
    all.extend(paths::scenarios());
    all
}
