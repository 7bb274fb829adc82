//! Who answers `capture`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};

use super::reports;
use crate::diagnose::{Frame, Report, SourceMap};
use crate::plan::{Capture, CaptureRequest, Captured, Plan, RootId, Run};

type Result<T> = std::result::Result<T, Report>;

/// A question of the script, on its way to the thread that can answer it.
pub struct CaptureCall {
    pub plan: Plan,
    pub root: RootId,
    pub run: Run,
    pub preview: Option<String>,
    pub calls: Vec<Frame>,
    pub sources: SourceMap,
}

impl CaptureCall {
    pub fn request(&self) -> CaptureRequest<'_> {
        CaptureRequest {
            plan: &self.plan,
            root: self.root,
            run: self.run.clone(),
            preview: self.preview.as_deref(),
            calls: &self.calls,
            sources: &self.sources,
        }
    }
}

/// Who answers `capture`.
#[derive(Clone, Default)]
pub enum CaptureSlot {
    #[default]
    Nobody,
    /// The caller of the evaluation, on its own thread: the interpreter's ends of the two
    /// channels.
    Caller(Rc<(Sender<CaptureCall>, Receiver<Result<Captured>>)>),
    /// This thread.
    Here(Rc<RefCell<dyn Capture>>),
}

impl CaptureSlot {
    pub fn ask(&self, asked: CaptureCall) -> Result<Captured> {
        let gone = || reports::capture("nothing is there to run the command of `capture`");
        match self {
            CaptureSlot::Nobody => Err(gone()),
            CaptureSlot::Caller(ends) => {
                ends.0.send(asked).map_err(|_| gone())?;
                ends.1.recv().map_err(|_| gone())?
            }
            CaptureSlot::Here(capture) => capture.borrow_mut().capture(asked.request()),
        }
    }
}
