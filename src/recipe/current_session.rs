//! The session that an engine works for. An engine takes longer to make than most plans,
//! so that a thread keeps it; what belongs to one evaluation is in its session alone.

use std::cell::RefCell;
use std::rc::Rc;

use super::limits::Exceeded;
use super::session::Session;

/// What an engine's functions reach their session through.
#[derive(Clone, Default)]
pub struct CurrentSession(Rc<RefCell<Option<Rc<Session>>>>);

impl CurrentSession {
    /// The session of the evaluation that runs now; there is one whenever a script runs.
    pub fn session(&self) -> Option<Rc<Session>> {
        self.0.borrow().clone()
    }

    pub fn take(&self, session: &Rc<Session>) {
        self.0.replace(Some(Rc::clone(session)));
    }

    /// Forgets the session and all that it held.
    pub fn leave(&self) {
        self.0.replace(None);
    }

    /// Counts one operation.
    pub fn spend(&self) -> Option<Exceeded> {
        self.0.borrow().as_ref()?.budget.spend()
    }
}
