//! The renderers over plans that are made by hand: what people read, what programs read,
//! and what a shell makes of it.

mod json;
mod plans;
mod real;
mod same;
mod sh;
mod text;
