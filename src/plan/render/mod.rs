//! Renderers: pure functions of the plan.
